"""What became of orders whose answer was lost, on real ccxt against each exchange's protocol."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from bot_sdk.risk import Signal
from exchanges import gateways
from exchanges.ccxt_client import PROFILES
from exchanges.gateways import exchange_gateway
from exchanges.models import Market
from execution import tasks
from execution.models import Cycle, Fill, Order
from execution.orders import Intent, fold, place_order, position_of
from execution.settling import NOT_TAKEN, places, settle
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Simulator, Trader, simulating
from tests.exchanges.test_ccxt_trading import ORDER_PATHS
from tests.factories import make_cycle, make_exchange_account, make_market, make_subscription

pytestmark = pytest.mark.django_db

EXCHANGES = ("BINANCE", "COINBASE", "KRAKEN")
AMOUNT = Decimal("0.002")


@pytest.fixture
def simulator(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Exchanges that nobody has to be slow with: the pace has tests of its own."""
    for exchange, profile in PROFILES.items():
        monkeypatch.setitem(PROFILES, exchange, replace(profile, burst=1_000, key_burst=1_000))
    with simulating(has_limits=False) as simulator:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", simulator.url
        settings.EXCHANGE_TESTNET_MODE, settings.EGRESS_ADDRESS = False, simulator.url  # a pace of its own
        gateways.public_gateway.cache_clear()
        yield simulator
        gateways.public_gateway.cache_clear()


@pytest.fixture(params=EXCHANGES)
def trader(request: pytest.FixtureRequest, simulator: Simulator) -> Trader:
    return simulator.trader(request.param)


def market_of(trader: Trader) -> Market:
    rules = trader.simulator.rules(trader.exchange)
    return make_market(
        exchange=trader.exchange,
        price_tick=rules.price_tick,
        amount_step=rules.amount_step,
        minimum_amount=rules.minimum_amount,
        minimum_cost=rules.minimum_cost,
        taker_fee_fraction=rules.taker_fee_fraction,
    )


def subscribed(trader: Trader, **overrides: Any) -> Subscription:
    """Somebody whose orders go to the simulated account."""
    account = overrides.pop("account", None) or make_exchange_account(
        exchange=trader.exchange,
        environment=trader.environment,
        api_key=trader.credentials.api_key,
        secret=trader.credentials.secret,
    )
    values = {"market": market_of(trader), "account": account, "allocated_capital": Decimal(2000)}
    return make_subscription(account.owner, **values | overrides)


def place(
    subscription: Subscription, side: str = "BUY", limit: Decimal | None = None, **overrides: Any
) -> Order:
    """Place one order for a cycle of the subscription's own."""
    market, account = subscription.market, subscription.account
    assert account is not None
    cycle = make_cycle(subscription, state=Cycle.State.RUNNING, age=overrides.pop("age", 0))
    ticker = overrides.pop("ticker", None) or gateways.public_gateway(market.exchange).fetch_ticker(PAIR)
    intent = Intent(
        subscription=subscription,
        signal=Signal(side, AMOUNT, "because", "bot", limit_price=limit),
        moment_at=cycle.candle_closed_at,
        sized_for=position_of(subscription).holding,
        fresh_until=overrides.pop("fresh_until", timezone.now() + timedelta(seconds=30)),
        cycle=cycle,
        bid=ticker.bid,
        **overrides,
    )
    with exchange_gateway(account, market, ticker) as gateway:
        return place_order(intent, gateway)


def lose_the_answer(trader: Trader, **fault: object) -> None:
    trader.control("fault", **{"kind": "drop", "match": ORDER_PATHS[trader.exchange]} | fault)


def let_pass(order: Order, seconds: float = 200) -> None:
    """Have the order been sent so much earlier, and looked up as well."""
    order.refresh_from_db()
    ago = timedelta(seconds=seconds)
    assert order.send_by is not None
    looked_up_at = order.looked_up_at and order.looked_up_at - ago
    Order.objects.filter(pk=order.pk).update(send_by=order.send_by - ago, looked_up_at=looked_up_at)
    order.refresh_from_db()


def look(order: Order) -> Order:
    account = order.subscription.account
    assert account is not None
    with exchange_gateway(account, order.subscription.market) as gateway:
        return settle(Order.objects.get(pk=order.pk), gateway)


def books_fit(subscription: Subscription) -> bool:
    fills = Fill.objects.filter(order__subscription=subscription).select_related("order")
    return position_of(subscription).holding == fold(subscription, fills)


def test_an_order_is_filled_and_the_books_say_what_the_exchange_says(trader: Trader) -> None:
    before, subscription = trader.totals(), subscribed(trader)

    order = place(subscription)

    assert order.state == Order.State.FILLED
    position, after = position_of(subscription), trader.totals()
    assert position.base_amount == after["BTC"] - before["BTC"]
    assert subscription.allocated_capital - position.quote_balance == before["USDT"] - after["USDT"]
    assert books_fit(subscription)
    subscription.refresh_from_db()
    assert subscription.sending_until is None


def test_only_what_the_bot_bought_can_be_sold(trader: Trader) -> None:
    subscription = subscribed(trader)
    place(subscription, age=1)
    position = position_of(subscription)

    sold = place(subscription, side="SELL")

    if trader.exchange == "BINANCE":  # its fee came out of what was bought
        assert position.base_amount < AMOUNT
        assert sold.state == Order.State.NOT_SENT  # although the account has more
        assert "more than the" in sold.message
    else:
        assert (sold.state, position_of(subscription).base_amount) == (Order.State.FILLED, 0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_leaves_the_order_unknown_until_it_is_looked_up(trader: Trader, when: str) -> None:
    subscription = subscribed(trader)
    lose_the_answer(trader, when=when)

    order = place(subscription)
    assert order.state == Order.State.UNKNOWN
    early = look(order)
    let_pass(order)
    first = look(order)
    at_once = look(order)
    if when == "before":
        let_pass(order)
    second = look(order) if when == "before" else first

    assert len(trader.orders()) == (when == "after")
    if when == "after":
        assert early.state == first.state == at_once.state == Order.State.FILLED
        assert position_of(subscription).base_amount > 0
    else:
        assert (early.state, early.absences) == (Order.State.UNKNOWN, 0)
        assert (first.state, at_once.absences) == (Order.State.UNKNOWN, 1)
        assert (second.state, second.message) == (Order.State.NOT_SENT, NOT_TAKEN)
        assert position_of(subscription).base_amount == 0
    assert books_fit(subscription)


def test_an_order_that_lands_late_is_found_after_the_fence(trader: Trader) -> None:
    subscription = subscribed(trader)
    lose_the_answer(trader, kind="late", seconds=2)

    order = place(subscription)
    if trader.exchange != "KRAKEN":  # there a younger nonce would refuse what comes late
        assert look(order).state == Order.State.UNKNOWN
    trader.simulator.wait_for(lambda: bool(trader.orders()))
    let_pass(order)

    assert look(order).state == Order.State.FILLED
    assert books_fit(subscription)


def test_nothing_is_sent_where_an_order_is_unknown_and_elsewhere_it_is(trader: Trader) -> None:
    first = subscribed(trader)
    second = subscribed(trader, account=first.account)
    lose_the_answer(trader, when="after")
    place(first)

    blocked = place(second)
    again = place(first, age=1)

    assert {blocked.state, again.state} == {Order.State.NOT_SENT}
    assert "is not known yet" in blocked.message
    assert len(trader.orders()) == 1
    assert place(subscribed(trader.simulator.trader(trader.exchange))).state == Order.State.FILLED


def test_what_left_too_late_does_not_leave(trader: Trader) -> None:
    subscription = subscribed(trader)

    order = place(subscription, fresh_until=timezone.now() + timedelta(milliseconds=1))

    assert order.state == Order.State.NOT_SENT
    assert trader.orders() == []


def test_orders_go_by_the_exchanges_clock_once_ours_was_measured(trader: Trader) -> None:
    trader.control("clock", move_seconds=30)

    tasks.check_clock(trader.exchange)

    assert place(subscribed(trader)).state == Order.State.FILLED


def test_a_key_that_is_refused_refuses_the_order_and_is_checked(
    trader: Trader, published: list[tuple[str, list[Any]]]
) -> None:
    subscription = subscribed(trader)
    place(subscription, age=1)  # the markets are known
    trader.control("account", key=trader.credentials.api_key, is_revoked=True)

    order = place(subscription)

    assert order.state == Order.State.REJECTED
    assert ("exchanges.tasks.check_account", [subscription.account_id]) in published


def test_a_market_that_the_exchange_no_longer_lists_refuses_the_order(trader: Trader) -> None:
    rules = {"price_tick": Decimal("0.01"), "amount_step": Decimal("0.00001")}
    gone = make_market(exchange=trader.exchange, trading_pair="DOGE/USDT", **rules)
    subscription = subscribed(trader, market=gone)

    order = place(subscription, ticker=gateways.public_gateway(trader.exchange).fetch_ticker(PAIR))

    assert (order.state, "BadSymbol" in order.message) == (Order.State.REJECTED, True)
    assert places() == []


def test_an_open_limit_fills_later_and_is_booked(trader: Trader) -> None:
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader)
    order = place(subscription, limit=Decimal(59000), expires_at=timezone.now() + timedelta(hours=1))
    assert (order.state, places()) == (
        Order.State.OPEN,
        [(subscription.account_id, subscription.market_id)],
    )

    trader.control("price", pair=PAIR, price="58999")
    look_after_all(subscription)

    order.refresh_from_db()
    assert order.state == Order.State.FILLED
    assert order.fills.get().price == Decimal(59000)
    assert books_fit(subscription)
    assert places() == []


def test_an_open_limit_whose_time_is_over_is_canceled(trader: Trader) -> None:
    trader.control("price", pair=PAIR, price="60000")
    subscription = subscribed(trader)
    order = place(subscription, limit=Decimal(59000), expires_at=timezone.now())

    look_after_all(subscription)

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED
    assert trader.account().fetch_balances()["USDT"].locked == 0


def look_after_all(subscription: Subscription) -> None:
    assert subscription.account_id is not None
    tasks.look_after_orders_at(subscription.account_id, subscription.market_id)


@pytest.mark.parametrize("action", ["MARKET", "CANCEL"])
def test_a_limit_whose_time_is_over_ends_as_its_trader_chose(trader: Trader, action: str) -> None:
    execution = {"buy_order_type": "ALL", "sell_order_type": "ALL", "order_type": "LIMIT"}
    subscription = subscribed(trader, execution_config=execution | {"limit_timeout_action": action})
    order = place(subscription, limit=Decimal(10_000), expires_at=timezone.now() - timedelta(minutes=1))

    tasks.look_after_orders_at(subscription.account_id, subscription.market_id)

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED
    rest = [(each.leg, each.state, each.message) for each in Order.objects.exclude(pk=order.pk)]
    assert rest == ([("timeout", Order.State.FILLED, "")] if action == "MARKET" else [])


CANCEL_PATHS = {
    "BINANCE": "DELETE /api/v3/order",
    "COINBASE": "POST /api/v3/brokerage/orders/batch_cancel",
    "KRAKEN": "POST /0/private/CancelOrder",
}


@pytest.mark.parametrize("when", ["before", "after"])
def test_while_nobody_knows_whether_it_is_canceled_the_rest_is_not_bought(trader: Trader, when: str) -> None:
    execution = {"buy_order_type": "ALL", "sell_order_type": "ALL", "order_type": "LIMIT"}
    subscription = subscribed(trader, execution_config=execution | {"limit_timeout_action": "MARKET"})
    order = place(subscription, limit=Decimal(10_000), expires_at=timezone.now() - timedelta(minutes=1))
    trader.control("fault", kind="drop", when=when, match=CANCEL_PATHS[trader.exchange])

    look_after_all(subscription)
    assert list(Order.objects.values_list("state", flat=True)) == [Order.State.OPEN]
    look_after_all(subscription)

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED
    assert Order.objects.exclude(pk=order.pk).get().state == Order.State.FILLED
    assert len(trader.orders()) == 2
