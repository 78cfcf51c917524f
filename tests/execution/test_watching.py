"""Between two candles: stops act at the price of the moment, limits on paper fill, nobody is forgotten."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from accounts.models import User
from bot_sdk.risk import Signal
from exchanges.gateway import Ticker
from exchanges.models import Market
from exchanges.paper_gateway import PaperGateway
from execution import alarms, tasks
from execution.models import Cycle, Fill, Order, Position
from execution.orders import Intent, fold, place_order, position_of
from execution.protection import Protection, lift_halt, protection_of, remember, unwatched
from execution.watching import markets_to_watch, watch
from subscriptions import changing, lifecycle
from subscriptions.models import Subscription, TradingState, TradingSwitch
from subscriptions.switches import Standing, set_platform_state, set_trader_state, standing_of
from tests.exchanges.simulated import PAIR, Trader
from tests.exchanges.test_ccxt_trading import ORDER_PATHS
from tests.execution.test_settling import place, simulator, subscribed, trader  # noqa: F401 - fixtures
from tests.factories import make_candles, make_cycle, make_market, make_subscription, trader_of

pytestmark = pytest.mark.django_db

HALTED = Standing(TradingState.HALTED)


def priced(price: str, at: datetime | None = None) -> Ticker:
    value = Decimal(price)
    return Ticker(last=value, bid=value, ask=value, at=at or timezone.now())


def trades(subscription: Subscription, side: str, amount: str, price: str, **overrides: Any) -> Order:
    """Place a paper order of the subscription's; `limit` makes it a limit order."""
    cycle = make_cycle(subscription, state=Cycle.State.RUNNING, age=overrides.pop("age", 0))
    limit = overrides.pop("limit", None)
    signal = Signal(side, Decimal(amount), "because", "bot", limit_price=limit and Decimal(limit))
    values: dict[str, Any] = {
        "subscription": subscription,
        "signal": signal,
        "moment_at": cycle.candle_closed_at,
        "sized_for": position_of(subscription).holding,
        "fresh_until": timezone.now() + timedelta(seconds=30),
        "cycle": cycle,
        "bid": Decimal(price),
    }
    market = subscription.market
    gateway = PaperGateway(market.trading_pair, market.rules, priced(price))
    return place_order(Intent(**values | overrides), gateway)


def holding(risk: dict[str, Any] | None = None, **overrides: Any) -> Subscription:
    """A subscription that has bought 0.01 BTC at 60,000."""
    subscription = make_subscription(risk_config=risk or {"stop_loss_percent": 5.0}, **overrides)
    assert trades(subscription, "BUY", "0.01", "60000", age=5).state == Order.State.FILLED
    return subscription


def look(market: Market, price: str, at: datetime | None = None) -> None:
    now = at or timezone.now()
    watch(market, priced(price, now), now)


def stops_of(subscription: Subscription) -> list[Order]:
    return list(Order.objects.filter(subscription=subscription, leg="stop"))


def test_a_stop_sells_between_two_candles_once() -> None:
    subscription = holding()

    for price in ("57058", "56900", "56800"):
        look(subscription.market, price)

    [order] = stops_of(subscription)
    assert (order.state, order.side, order.source) == (Order.State.FILLED, "SELL", "stop_loss")
    assert order.fills.get().price == Decimal("56900")
    assert order.cycle is None
    assert position_of(subscription).base_amount == 0


def test_a_price_above_the_stop_sells_nothing() -> None:
    subscription = holding()

    look(subscription.market, "57057.01")  # 5 % below what it cost, fee included, is 57,057

    assert stops_of(subscription) == []


def test_a_trailing_stop_remembers_the_highest_price_between_candles() -> None:
    subscription = holding({"trailing_stop_percent": 2.0})

    for price in ("60000", "65000", "63701"):
        look(subscription.market, price)
    assert stops_of(subscription) == []
    look(subscription.market, "63700")

    [order] = stops_of(subscription)
    assert (order.source, order.state) == ("trailing_stop", Order.State.FILLED)


def test_a_drawdown_sells_and_nothing_is_bought_until_the_halt_is_lifted() -> None:
    subscription = holding({"max_drawdown_percent": 1.0})

    look(subscription.market, "49000")

    [order] = stops_of(subscription)
    assert order.source == "max_drawdown"
    assert position_of(subscription).past.is_halted

    lift_halt(subscription=subscription, bid=Decimal(49000))
    assert not position_of(subscription).past.is_halted


def test_one_look_serves_all_on_the_market_and_no_one_else() -> None:
    first, second = holding(), holding({"stop_loss_percent": 1.0})
    other = holding(market=make_market(trading_pair="ETH/USDT"))
    Position.objects.update(watched_at=None)

    look(first.market, "59000")

    assert [len(stops_of(each)) for each in (first, second, other)] == [0, 1, 0]
    assert position_of(first).watched_at is not None
    assert position_of(other).watched_at is None


def test_looking_costs_as_much_for_many_as_for_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    first = holding()
    look(first.market, "60000")
    with django_assert_num_queries(5):  # subscriptions, what is closed, orders on paper, switches, watched
        look(first.market, "60000")
    for _ in range(3):
        holding(bot=first.bot)
    look(first.market, "60000")

    with django_assert_num_queries(5):
        look(first.market, "60000")


def test_what_is_paused_is_not_sold() -> None:
    subscription = holding()
    lifecycle.pause(subscription=subscription)

    look(subscription.market, "1000")

    assert stops_of(subscription) == []
    assert markets_to_watch() == []


def test_only_markets_with_something_to_look_after_are_watched() -> None:
    make_subscription()
    holding(market=make_market(trading_pair="ETH/USDT"), risk={"max_position_size": 50.0})
    assert markets_to_watch() == []

    waiting = make_subscription(market=make_market(trading_pair="SOL/USDT"), risk_config={})
    trades(waiting, "BUY", "0.01", "60000", limit="59000")
    held = holding()

    assert sorted(markets_to_watch()) == sorted([waiting.market_id, held.market_id])


def test_a_limit_on_paper_waits_fills_at_its_price_and_is_booked() -> None:
    subscription = make_subscription()
    order = trades(subscription, "BUY", "0.01", "60000", limit="59000")
    assert order.state == Order.State.OPEN

    look(subscription.market, "59000.01")
    order.refresh_from_db()
    assert order.state == Order.State.OPEN
    look(subscription.market, "58000")

    order.refresh_from_db()
    assert (order.state, order.fills.get().price) == (Order.State.FILLED, Decimal(59000))
    fills = Fill.objects.filter(order__subscription=subscription).select_related("order")
    assert position_of(subscription).holding == fold(subscription, fills)


LIMITS = {"buy_order_type": "ALL", "sell_order_type": "ALL", "order_type": "LIMIT"}


@pytest.mark.parametrize(("action", "legs"), [("CANCEL", ["signal"]), ("MARKET", ["signal", "timeout"])])
def test_a_limit_whose_time_is_over_is_ended_as_the_trader_wants(action: str, legs: list[str]) -> None:
    subscription = make_subscription(execution_config=LIMITS | {"limit_timeout_action": action})
    order = trades(subscription, "BUY", "0.01", "60000", limit="59000", expires_at=timezone.now())

    look(subscription.market, "60500")

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED
    orders = Order.objects.filter(subscription=subscription).order_by("pk")
    assert [each.leg for each in orders] == legs
    assert position_of(subscription).base_amount == (Decimal("0.01") if len(legs) == 2 else 0)


def hold_back(*, subscription: Subscription) -> None:
    set_trader_state(trader=trader_of(subscription), state=TradingState.HALTED)


@pytest.mark.parametrize("deed", [lifecycle.pause, lifecycle.stop, hold_back])
def test_a_limit_on_paper_ends_also_when_its_bot_may_not_trade(deed: Callable[..., object]) -> None:
    subscription = make_subscription(execution_config=LIMITS | {"limit_timeout_action": "MARKET"})
    order = trades(subscription, "BUY", "0.01", "60000", limit="59000", expires_at=timezone.now())
    deed(subscription=subscription)
    assert markets_to_watch() == [subscription.market_id]

    look(subscription.market, "60500")

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED
    assert not Fill.objects.exists()
    assert markets_to_watch() == []


def test_a_stop_cancels_what_rests_and_sells_all() -> None:
    subscription = holding()
    resting = trades(subscription, "SELL", "0.01", "60000", limit="66000")

    look(subscription.market, "50000")

    resting.refresh_from_db()
    assert resting.state == Order.State.CANCELED
    assert [order.state for order in stops_of(subscription)] == [Order.State.FILLED]


def test_an_open_position_says_who_watches_its_stop() -> None:
    subscription, now = holding(), timezone.now() + timedelta(minutes=2)

    def said(at: datetime = now, *, is_running: bool = True, standing: Standing = Standing()) -> str:  # noqa: B008
        found = Subscription.objects.with_names().select_related("position").get(pk=subscription.pk)
        return protection_of(found, at, is_running=is_running, standing=standing)

    assert said() == Protection.UNWATCHED
    look(subscription.market, "60000", now)
    assert said() == Protection.WATCHED
    assert said(is_running=False) == Protection.PAUSED
    assert said(standing=HALTED) == Protection.HALTED
    assert said(standing=HALTED, is_running=False) == Protection.PAUSED
    assert said(now + timedelta(seconds=60)) == Protection.UNWATCHED
    Subscription.objects.update(risk_config={})
    assert said() == Protection.OFF
    Position.objects.update(base_amount=0, cost_basis=0)
    assert said() == Protection.FLAT


def test_a_stop_that_nobody_watches_raises_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    subscription, now = holding(), timezone.now()
    assert not unwatched(now + timedelta(seconds=59))
    assert [position.subscription for position in unwatched(now + timedelta(seconds=61))] == [subscription]
    Position.objects.update(watched_at=now - timedelta(seconds=61))

    tasks.check_protection()
    assert str(alarms.Trouble.POSITION_IS_UNPROTECTED) not in caplog.text  # it was started just now
    Subscription.objects.update(changed_at=now - timedelta(seconds=61))
    tasks.check_protection()

    assert str(alarms.Trouble.POSITION_IS_UNPROTECTED) in caplog.text
    look(subscription.market, "60000")
    assert not unwatched(timezone.now())


def test_what_is_resumed_or_changed_has_a_minute_to_be_looked_after() -> None:
    subscription, an_hour_ago = holding(), timezone.now() - timedelta(hours=1)
    documents = subscription.documents | {"risk_config": {"stop_loss_percent": 3.0}}
    deeds: list[Callable[[], Subscription]] = [
        lambda: lifecycle.resume(subscription=lifecycle.pause(subscription=subscription)),
        lambda: changing.change(subscription=subscription, revision=0, **documents),
    ]

    for deed in deeds:
        Position.objects.update(watched_at=an_hour_ago)
        Subscription.objects.update(changed_at=an_hour_ago)
        assert unwatched(timezone.now())
        deed()
        assert not unwatched(timezone.now())
        assert unwatched(timezone.now() + timedelta(seconds=61))


@pytest.mark.parametrize("is_platforms", [False, True])
def test_what_may_sell_again_has_a_minute_to_be_looked_after(bob: User, is_platforms: bool) -> None:
    subscription, an_hour_ago = holding(trader=bob), timezone.now() - timedelta(hours=1)
    Subscription.objects.update(changed_at=an_hour_ago)
    Position.objects.update(watched_at=an_hour_ago)

    def allow(state: TradingState) -> None:
        if is_platforms:
            set_platform_state(state=state, reason="We look into it.", by=None)
        else:
            set_trader_state(trader=bob, state=state)

    def said(at: datetime) -> str:
        found = Subscription.objects.with_names().select_related("position").get(pk=subscription.pk)
        return protection_of(found, at, is_running=True, standing=standing_of(bob.pk))

    allow(TradingState.HALTED)
    assert said(timezone.now()) == Protection.HALTED
    TradingSwitch.objects.update(allowed_at=an_hour_ago)
    assert len(unwatched(timezone.now())) == is_platforms  # of the platform's halt its operator hears
    allow(TradingState.ACTIVE)

    now = timezone.now()
    assert (said(now), len(unwatched(now))) == (Protection.WATCHED, 0)
    later = now + timedelta(seconds=61)
    assert (said(later), len(unwatched(later))) == (Protection.UNWATCHED, 1)


def test_what_is_bought_counts_as_watched_from_then_on_and_anew_when_it_is_bought_again() -> None:
    subscription, now = holding(), timezone.now()
    trades(subscription, "SELL", "0.01", "61000", age=4)
    Position.objects.update(watched_at=now - timedelta(hours=1))
    trades(subscription, "BUY", "0.01", "60000", age=3)

    assert (position_of(subscription).watched_at or now) > now
    Position.objects.update(watched_at=now - timedelta(hours=1))
    trades(subscription, "BUY", "0.01", "60000")
    assert position_of(subscription).watched_at == now - timedelta(hours=1)  # more of the same


def test_what_is_seen_is_kept_only_when_it_is_news(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    subscription = holding({"trailing_stop_percent": 2.0})
    at = timezone.now()
    found = list(Subscription.objects.with_names().select_related("position"))
    remember(found, at=at, bid=Decimal(61000))
    assert position_of(subscription).past.peak_price == 61000
    found = list(Subscription.objects.with_names().select_related("position"))

    with django_assert_num_queries(0):
        remember(found, at=at, bid=Decimal(60500))


def test_a_stop_at_an_exchange_sells_what_the_bot_bought_there(trader: Trader) -> None:  # noqa: F811
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader, risk_config={"stop_loss_percent": 5.0})
    place(subscription, age=5)
    before = trader.totals()["BTC"]
    trader.control("price", pair=PAIR, price="56000")

    tasks.watch_market(subscription.market_id)

    [order] = stops_of(subscription)
    assert order.state == Order.State.FILLED
    assert before - trader.totals()["BTC"] == order.amount
    assert position_of(subscription).base_amount < subscription.market.amount_step


def test_the_page_says_who_watches_and_lifts_a_halt(client: Client) -> None:
    subscription = holding({"max_drawdown_percent": 1.0})
    make_candles(subscription.market)
    client.force_login(trader_of(subscription))
    page = subscription.get_absolute_url()
    assert "its stops are watched by us" in client.get(page).content.decode()  # from the purchase on
    Position.objects.update(watched_at=timezone.now() - timedelta(minutes=2))
    Subscription.objects.update(changed_at=timezone.now() - timedelta(minutes=2))
    assert "its stops have not been watched for a minute" in client.get(page).content.decode()
    assert "Either this marketplace was off" in client.get("/dashboard/").content.decode()
    look(subscription.market, "60000")
    assert "its stops are watched by us" in client.get(page).content.decode()
    assert "its stops have not been watched" not in client.get("/dashboard/").content.decode()

    look(subscription.market, "49000")
    halted = client.get(page).content.decode()
    client.post(f"{page}lift-halt/")

    assert "nothing is bought until you lift the halt" in halted
    assert "lift the halt" not in client.get(page).content.decode()
    assert not position_of(subscription).past.is_halted


def test_nobody_else_lifts_a_halt(client: Client, charlie: User) -> None:
    subscription = holding({"max_drawdown_percent": 1.0})
    look(subscription.market, "49000")
    client.force_login(charlie)

    assert client.post(f"{subscription.get_absolute_url()}lift-halt/").status_code == 404
    assert client.get(f"{subscription.get_absolute_url()}lift-halt/").status_code == 405
    assert position_of(subscription).past.is_halted


def test_the_rest_of_a_limit_is_decided_anew_by_the_rules_of_now() -> None:
    subscription = make_subscription(
        execution_config=LIMITS | {"limit_timeout_action": "MARKET"}, risk_config={"max_orders_per_day": 1}
    )
    order = trades(subscription, "BUY", "0.01", "60000", limit="59000", expires_at=timezone.now())

    look(subscription.market, "60500")

    assert list(Order.objects.filter(subscription=subscription)) == [order]
    assert position_of(subscription).base_amount == 0


def test_a_stop_of_the_platform_sells_where_its_trader_set_none(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"stop_loss_percent": Decimal(20)}
    subscription = holding({"max_position_size": 50.0})
    assert markets_to_watch() == [subscription.market_id]

    look(subscription.market, "48500")
    assert stops_of(subscription) == []
    look(subscription.market, "47000")

    assert [order.state for order in stops_of(subscription)] == [Order.State.FILLED]


def test_a_stop_of_the_platform_is_nearer_than_a_far_one_of_the_trader(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"stop_loss_percent": Decimal(5)}
    subscription = holding({"stop_loss_percent": 50.0})

    look(subscription.market, "56000")

    assert len(stops_of(subscription)) == 1


def test_a_position_that_only_the_platform_protects_has_to_be_watched(settings: Settings) -> None:
    subscription, late = holding({"max_position_size": 50.0}), timezone.now() + timedelta(seconds=61)
    found = Subscription.objects.with_names().select_related("position").get(pk=subscription.pk)
    assert not unwatched(late)
    assert protection_of(found, late, is_running=True, standing=Standing()) == Protection.OFF

    settings.PLATFORM_RISK_LIMITS = {"max_drawdown_percent": Decimal(30)}

    assert [position.subscription for position in unwatched(late)] == [subscription]
    assert protection_of(found, late, is_running=True, standing=Standing()) == Protection.UNWATCHED


def test_a_limit_of_the_platform_that_sells_nothing_makes_no_market_watched(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal(30), "max_orders_per_day": 5}
    holding({"max_position_size": 50.0})

    assert markets_to_watch() == []


def test_a_stop_that_was_reached_and_does_not_sell_raises_an_alarm(trader: Trader) -> None:  # noqa: F811
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader, risk_config={"stop_loss_percent": 5.0})
    place(subscription, age=5)
    trader.control("price", pair=PAIR, price="56000")
    trader.control("fault", kind="status", status=503, match=ORDER_PATHS[trader.exchange])

    tasks.watch_market(subscription.market_id)

    assert stops_of(subscription)[0].state == Order.State.UNKNOWN
    assert [each.subscription for each in unwatched(timezone.now() + timedelta(seconds=61))] == [subscription]
