"""A stop loss rests at the exchange for all that is held there, and is out of the way when somebody sells."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from bot_sdk.ledger import Holding
from exchanges.gateways import exchange_gateway
from exchanges.prices import fetch_ticker
from execution import tasks
from execution.guards import guard_of, keep_guard, stop_prices
from execution.models import GUARD, Order
from execution.orders import position_of
from execution.protection import Protection, protection_of
from execution.watching import make_way, markets_to_watch
from subscriptions import changing, lifecycle
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import Standing
from tests.bot_sdk.samples import make_rules
from tests.exchanges.simulated import PAIR, Trader
from tests.execution.test_settling import books_fit, lose_the_answer, place, simulator, subscribed, trader  # noqa: F401
from tests.factories import make_subscription

pytestmark = pytest.mark.django_db

STOP = {"stop_loss_percent": 5.0}


def holding(trader: Trader) -> Subscription:  # noqa: F811
    """A subscription at the exchange that has bought at about 60,000, and has been looked after once."""
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader, risk_config=STOP)
    place(subscription, age=5)
    tasks.watch_market(subscription.market_id)
    return Subscription.objects.with_names().select_related("position").get(pk=subscription.pk)


def resting(trader: Trader) -> list[Decimal]:  # noqa: F811
    return [order.amount for order in Order.objects.filter(leg=GUARD, state=Order.State.OPEN)]


def test_a_position_gets_one_stop_for_all_of_it(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)

    for _ in range(2):
        tasks.watch_market(subscription.market_id)

    [guard] = Order.objects.filter(leg=GUARD)
    position = position_of(subscription)
    assert guard.state == Order.State.OPEN
    assert guard.amount == subscription.market.rules.round_down(position.base_amount)
    assert guard.stop_price is not None
    assert abs(guard.stop_price - Decimal("0.95") * (position.holding.average_entry_price or 0)) < 1
    now = timezone.now()
    assert protection_of(subscription, now, is_running=True, standing=Standing()) == Protection.HELD
    assert protection_of(subscription, now, is_running=False, standing=Standing()) == Protection.RESTING
    late = now + timedelta(minutes=2)
    assert protection_of(subscription, late, is_running=True, standing=Standing()) == Protection.RESTING
    assert (
        protection_of(subscription, now, is_running=True, standing=Standing(TradingState.HALTED))
        == Protection.RESTING
    )
    subscription.state = Subscription.State.CLOSING
    assert protection_of(subscription, now, is_running=False, standing=Standing()) == Protection.HELD
    subscription.state = Subscription.State.STOPPED  # its stop is canceled in a moment
    assert protection_of(subscription, now, is_running=False, standing=Standing()) == Protection.PAUSED
    assert position.past.orders_today == 1


def test_it_sells_at_the_exchange_while_nobody_watches(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)
    lifecycle.pause(subscription=subscription)

    trader.control("price", pair=PAIR, price="56900")
    assert subscription.account_id is not None
    tasks.look_after_orders_at(subscription.account_id, subscription.market_id)

    [guard] = Order.objects.filter(leg=GUARD)
    assert guard.state == Order.State.FILLED
    assert position_of(subscription).base_amount < subscription.market.amount_step
    assert books_fit(subscription)


def test_a_stop_that_its_trader_switches_off_is_canceled_at_the_exchange(
    trader: Trader,  # noqa: F811
    settings: Settings,
) -> None:
    settings.PLATFORM_RISK_LIMITS = {}
    subscription = holding(trader)
    without_stop = subscription.documents | {"risk_config": {}}

    changing.change(subscription=subscription, revision=0, **without_stop)
    for market_id in markets_to_watch():
        tasks.watch_market(market_id)

    assert Order.objects.get(leg=GUARD).state == Order.State.CANCELED
    assert markets_to_watch() == []


def test_what_is_stopped_leaves_nothing_at_the_exchange(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)
    lifecycle.stop(subscription=subscription)

    tasks.look_after_orders_at(subscription.account_id, subscription.market_id)

    assert Order.objects.get(leg=GUARD).state == Order.State.CANCELED
    assert trader.account().fetch_balances()["BTC"].locked == 0


def test_a_further_buy_is_not_hindered_and_the_stop_grows(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)

    assert place(subscription, age=2).state == Order.State.FILLED
    tasks.watch_market(subscription.market_id)

    first, second = Order.objects.filter(leg=GUARD).order_by("pk")
    assert (first.state, second.state) == (Order.State.CANCELED, Order.State.OPEN)
    assert second.amount > first.amount


def test_our_own_stop_cancels_it_first_and_sells_once(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)
    # below the stop, and below what the resting order still sells at
    trader.control("price", pair=PAIR, price="50000")

    tasks.watch_market(subscription.market_id)

    [guard] = Order.objects.filter(leg=GUARD)
    stops = Order.objects.filter(leg="stop")
    assert {guard.state, *(order.state for order in stops)} <= {Order.State.CANCELED, Order.State.FILLED}
    assert position_of(subscription).base_amount < subscription.market.amount_step
    assert books_fit(subscription)


def test_whoever_sells_frees_what_it_held(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)
    assert subscription.account is not None

    with exchange_gateway(subscription.account, subscription.market) as gateway:
        make_way(subscription, gateway)

    assert guard_of(subscription) is None
    assert trader.account().fetch_balances()["BTC"].locked == 0


def test_a_stop_whose_answer_is_lost_is_not_placed_again(trader: Trader) -> None:  # noqa: F811
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader, risk_config=STOP)
    place(subscription, age=5)
    lose_the_answer(trader, when="after")

    for _ in range(2):
        tasks.watch_market(subscription.market_id)
    assert Order.objects.get(leg=GUARD).state == Order.State.UNKNOWN
    assert subscription.account_id is not None
    tasks.look_after_orders_at(subscription.account_id, subscription.market_id)

    assert Order.objects.get(leg=GUARD).state == Order.State.OPEN
    assert len(trader.orders()) == 2


def test_a_stop_that_is_refused_is_tried_again_only_later(trader: Trader) -> None:  # noqa: F811
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader, risk_config=STOP)
    place(subscription, age=5)
    trader.control("account", key=trader.credentials.api_key, rights=["read"])

    for _ in range(2):
        tasks.watch_market(subscription.market_id)

    assert Order.objects.get(leg=GUARD).state == Order.State.REJECTED


def test_without_a_stop_loss_or_on_paper_nothing_rests(trader: Trader) -> None:  # noqa: F811
    subscription = subscribed(trader, risk_config={"take_profit_percent": 5.0})
    place(subscription, age=5)
    tasks.watch_market(subscription.market_id)
    paper = make_subscription(risk_config=STOP)
    position = position_of(paper)
    position.base_amount, position.cost_basis = Decimal("0.01"), Decimal(600)
    position.save()
    assert subscription.account is not None

    with exchange_gateway(subscription.account, subscription.market) as gateway:
        assert keep_guard(paper, gateway, timezone.now()) is None

    assert not Order.objects.filter(leg=GUARD).exists()
    assert fetch_ticker(subscription.market).bid > 0


def test_each_stop_has_a_whole_second_of_its_own(trader: Trader) -> None:  # noqa: F811
    subscription = holding(trader)
    first = Order.objects.get(leg=GUARD)
    assert subscription.account is not None

    place(subscription, age=2)
    with exchange_gateway(subscription.account, subscription.market) as gateway:
        second = keep_guard(subscription, gateway, first.moment_at)

    assert second is not None
    assert second.moment_at - first.moment_at == timedelta(seconds=1)
    assert first.moment_at.microsecond == 0


@pytest.mark.parametrize(
    ("percent", "prices"),
    [("5", ("95", "93.1")), ("99.95", None), ("0.05", ("99.9", "97.9"))],
)
def test_prices_are_on_the_tick_and_rounded_down(percent: str, prices: tuple[str, str] | None) -> None:
    held = Holding(Decimal(0), Decimal(2), Decimal(200), Decimal(0), Decimal(0))

    found = stop_prices(held, Decimal(percent), make_rules(price_tick="0.1"))

    assert found == (prices and tuple(map(Decimal, prices)))
