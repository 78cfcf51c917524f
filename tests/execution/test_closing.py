"""A trader stops a subscription and has sold what it holds: one order, through the path of all orders."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import Event, Notification, User
from bot_sdk.risk import Signal
from exchanges.models import ExchangeAccount
from exchanges.paper_gateway import PaperGateway
from exchanges.prices import fetch_ticker
from execution import tasks
from execution.closing import sell_and_stop
from execution.models import GUARD, Order
from execution.orders import CLOSE, Intent, client_order_id, place_order, position_of
from execution.overview import overview
from execution.protection import Protection, unwatched
from execution.watching import markets_to_watch, watch
from subscriptions import lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import set_trader_state
from tests.exchanges.simulated import PAIR, Simulator, Trader
from tests.execution import test_guards
from tests.execution.test_settling import books_fit, lose_the_answer, simulator  # noqa: F401 - fixtures
from tests.execution.test_watching import holding, look, priced, trades
from tests.factories import make_cycle, make_exchange_account, make_order, make_subscription, trader_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader(simulator: Simulator) -> Trader:  # noqa: F811
    """One exchange is enough here: what differs between them is tested where orders are."""
    return simulator.trader("BINANCE")


def state_of(subscription: Subscription) -> str:
    subscription.refresh_from_db()
    return subscription.state


def sales(subscription: Subscription) -> list[Order]:
    return list(Order.objects.filter(subscription=subscription, leg=CLOSE))


def closing_intent(subscription: Subscription) -> Intent:
    now = timezone.now()
    return Intent(
        subscription=subscription,
        signal=Signal("SELL", Decimal("0.01"), "Stopped", "trader"),
        moment_at=now.replace(second=0, microsecond=0),
        sized_for=position_of(subscription).holding,
        fresh_until=now + timedelta(seconds=10),
        leg=CLOSE,
        bid=Decimal(61_000),
    )


def test_what_is_held_is_sold_once_and_then_it_is_stopped(
    published: list[tuple[str, list[int]]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    subscription = holding()

    with django_capture_on_commit_callbacks(execute=True):
        assert sell_and_stop(subscription=subscription).state == Subscription.State.CLOSING
    assert published == [("execution.tasks.watch_market", [subscription.market_id])]
    assert markets_to_watch() == [subscription.market_id]
    for _ in range(2):
        look(subscription.market, "61000")

    [sale] = sales(subscription)
    assert (sale.state, sale.side, sale.kind, sale.source) == ("FILLED", "SELL", "MARKET", "trader")
    assert sale.client_order_id == client_order_id(subscription.pk, sale.moment_at, CLOSE)
    assert position_of(subscription).base_amount == 0
    assert state_of(subscription) == Subscription.State.STOPPED
    assert markets_to_watch() == []
    told = Notification.objects.filter(person=subscription.trader, key=f"order:{sale.pk}")
    assert told.get().event == Event.FILL  # it was no stop that has sold


def test_a_paused_one_is_sold_too_and_one_that_holds_nothing_just_stops() -> None:
    paused, empty = holding(), make_subscription()
    lifecycle.pause(subscription=paused)

    for subscription in (paused, empty):
        sell_and_stop(subscription=subscription)
    look(paused.market, "61000")

    assert [state_of(paused), state_of(empty)] == [Subscription.State.STOPPED] * 2
    assert [len(sales(paused)), len(sales(empty))] == [1, 0]


def test_meanwhile_the_bot_and_its_stops_order_nothing() -> None:
    subscription = holding()
    sell_and_stop(subscription=subscription)

    late = trades(subscription, "SELL", "0.01", "60000", age=1)

    assert (late.state, "was stopped before it" in late.message) == (Order.State.NOT_SENT, True)
    assert subscription not in Subscription.objects.active()


def test_an_open_order_makes_way() -> None:
    subscription = holding()
    waiting = trades(subscription, "SELL", "0.01", "60000", age=1, limit="70000")
    sell_and_stop(subscription=subscription)

    look(subscription.market, "61000")

    waiting.refresh_from_db()
    assert waiting.state == Order.State.CANCELED
    assert state_of(subscription) == Subscription.State.STOPPED


@pytest.mark.parametrize("end", [lifecycle.stop, lifecycle.pause])
def test_after_stopping_or_pausing_the_sale_does_not_leave(end: Callable[..., Subscription]) -> None:
    subscription = holding()
    sell_and_stop(subscription=subscription)
    intent = closing_intent(subscription)
    market = subscription.market

    end(subscription=subscription)
    order = place_order(intent, PaperGateway(market.trading_pair, market.rules, priced("61000")))

    assert order.state == Order.State.NOT_SENT
    assert position_of(subscription).base_amount == Decimal("0.01")


def test_an_active_one_cannot_be_sold_by_such_an_order() -> None:
    subscription = holding()
    market = subscription.market

    order = place_order(
        closing_intent(subscription), PaperGateway(market.trading_pair, market.rules, priced("61000"))
    )

    assert order.state == Order.State.NOT_SENT


def test_a_halt_refuses_the_wish_and_holds_back_a_sale_that_waits(bob: User) -> None:
    subscription, other = holding(trader=bob), holding(trader=bob)
    sell_and_stop(subscription=subscription)
    set_trader_state(trader=bob, state=TradingState.HALTED)

    with pytest.raises(SubscriptionError, match="Trading is halted"):
        sell_and_stop(subscription=other)
    look(subscription.market, "61000")
    assert not sales(subscription)

    set_trader_state(trader=bob, state=TradingState.ACTIVE)
    look(subscription.market, "61000")
    assert state_of(subscription) == Subscription.State.STOPPED


def test_what_is_stopped_is_not_sold_any_more() -> None:
    subscription = holding()
    lifecycle.stop(subscription=subscription)

    with pytest.raises(SubscriptionError, match="is stopped and stays so"):
        sell_and_stop(subscription=subscription)


def test_an_account_that_cannot_be_used_sells_nothing(bob: User) -> None:
    account = make_exchange_account(bob, state=ExchangeAccount.State.LOST_RIGHTS)

    with pytest.raises(SubscriptionError, match="is not usable now"):
        sell_and_stop(subscription=make_subscription(bob, account=account))


def test_while_trading_is_halted_the_resting_stop_makes_no_way_for_a_sale_that_waits(trader: Trader) -> None:
    subscription = test_guards.holding(trader)
    sell_and_stop(subscription=subscription)
    set_trader_state(trader=trader_of(subscription), state=TradingState.HALTED)

    tasks.watch_market(subscription.market_id)
    assert Order.objects.get(leg=GUARD).state == Order.State.OPEN

    set_trader_state(trader=trader_of(subscription), state=TradingState.ACTIVE, has_shown_who=True)
    tasks.watch_market(subscription.market_id)
    assert Order.objects.get(leg=GUARD).state == Order.State.CANCELED
    assert state_of(subscription) == Subscription.State.STOPPED


def test_a_sale_that_does_not_come_about_is_told_to_trader_and_operator(bob: User) -> None:
    subscription = holding(trader=bob)
    sell_and_stop(subscription=subscription)
    now = timezone.now()

    def told(at: datetime) -> tuple[list[str], list[Subscription]]:
        says = [each.says for each in overview(bob, at).concerns if "to be sold" in each.says]
        return says, [each.subscription for each in unwatched(at)]

    assert [row.protection for row in overview(bob, now).page] == [Protection.SELLING]
    assert told(now) == ([], [])
    assert told(now + timedelta(minutes=3)) == (
        [
            "What it holds is to be sold, and is not sold yet. Its orders say why; if there is none, its "
            "exchange gives no price or does not answer."
        ],
        [subscription],
    )
    set_trader_state(trader=bob, state=TradingState.HALTED)
    assert told(now + timedelta(minutes=3)) == (
        ["What it holds is to be sold, and is not sold yet. While trading is halted no order goes out."],
        [],
    )


def test_at_an_exchange_the_resting_stop_goes_first_and_all_is_sold(trader: Trader) -> None:
    subscription = test_guards.holding(trader)

    sell_and_stop(subscription=subscription)
    tasks.watch_market(subscription.market_id)

    assert Order.objects.get(leg=GUARD).state == Order.State.CANCELED
    assert position_of(subscription).base_amount < subscription.market.amount_step
    assert state_of(subscription) == Subscription.State.STOPPED
    assert books_fit(subscription)


def test_a_sale_of_unknown_fate_is_waited_for_and_not_sent_again(trader: Trader) -> None:
    subscription = test_guards.holding(trader)
    sell_and_stop(subscription=subscription)
    with_stop = len(trader.orders())
    lose_the_answer(trader, when="after")

    for _ in range(2):
        tasks.watch_market(subscription.market_id)
    assert [order.state for order in sales(subscription)] == [Order.State.UNKNOWN]
    assert state_of(subscription) == Subscription.State.CLOSING
    assert subscription.account_id is not None
    tasks.look_after_orders_at(subscription.account_id, subscription.market_id)
    tasks.watch_market(subscription.market_id)

    assert [order.state for order in sales(subscription)] == [Order.State.FILLED]
    assert state_of(subscription) == Subscription.State.STOPPED
    assert len(trader.orders()) == with_stop + 1
    assert books_fit(subscription)


def test_a_refused_sale_is_told_by_pausing_and_can_be_tried_again(trader: Trader, client: Client) -> None:
    trader.control("price", pair=PAIR, price="60000")
    subscription = test_guards.holding(trader)
    trader.control("account", key=trader.credentials.api_key, rights=["read"])
    Order.objects.filter(leg=GUARD).update(state=Order.State.CANCELED)  # it needs the right, too
    sell_and_stop(subscription=subscription)

    tasks.watch_market(subscription.market_id)

    assert state_of(subscription) == Subscription.State.PAUSED
    assert subscription.state_reason.startswith("What is held could not be sold:")
    owner = trader_of(subscription)
    client.force_login(owner)
    assert "Try to sell again" in client.get(subscription.get_absolute_url()).content.decode()
    concerns = overview(owner, timezone.now()).concerns
    assert [each.remedy for each in concerns if "could not be sold" in each.says] == ["See what you can do"]

    trader.control("account", key=trader.credentials.api_key, rights=["read", "trade"])
    told = Notification.objects.count()
    client.post(f"{subscription.get_absolute_url()}close/")
    tasks.watch_market(subscription.market_id)  # in the minute whose order was refused, or in the next
    watch(subscription.market, fetch_ticker(subscription.market), timezone.now() + timedelta(minutes=1))
    assert state_of(subscription) == Subscription.State.STOPPED
    assert not Notification.objects.filter(event=Event.HALTED)[told:]


def test_a_sale_that_is_refused_after_other_refusals_is_told_as_a_sale(trader: Trader) -> None:
    trader.control("price", pair=PAIR, price="60000")
    subscription = test_guards.holding(trader)
    for age in (1, 2):
        make_order(make_cycle(subscription, age=age), state="REJECTED", sent_at=timezone.now())
    trader.control("account", key=trader.credentials.api_key, rights=["read"])
    Order.objects.filter(leg=GUARD).update(state=Order.State.CANCELED)
    sell_and_stop(subscription=subscription)

    tasks.watch_market(subscription.market_id)

    assert state_of(subscription) == Subscription.State.PAUSED
    assert subscription.could_not_sell
    assert Notification.objects.filter(event=Event.HALTED).count() == 1


def test_the_page_offers_both_ways_and_says_what_happens(client: Client, bob: User) -> None:
    subscription = holding(trader=bob)
    client.force_login(bob)
    page = client.get(subscription.get_absolute_url()).content.decode()
    assert "Sell, then stop for good" in page
    assert "Keep it, and stop for good" in page

    told = client.post(f"/subscriptions/{subscription.pk}/close/", follow=True).content.decode()

    assert "Selling what is held at the market" in told
    assert "Sell, then stop for good" not in told
    assert "Keep it, and stop for good" in told
    assert "Change settings" not in told


def test_only_its_trader_who_is_signed_in_can_close_it(client: Client, charlie: User) -> None:
    subscription = holding()
    address = f"/subscriptions/{subscription.pk}/close/"

    assert client.post(address).headers["Location"].startswith("/accounts/login/")
    client.force_login(charlie)
    assert client.post(address).status_code == 404
    client.force_login(trader_of(subscription))
    assert client.get(address).status_code == 405
    assert state_of(subscription) == Subscription.State.ACTIVE
