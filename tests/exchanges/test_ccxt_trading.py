"""Orders through ccxt at each exchange: what is sent, found again, canceled, and what is not known."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.ccxt_trading import CcxtTrading
from exchanges.errors import ExchangeError, KeyRefused, OrderRejected, OutcomeUnknown
from exchanges.gateway import OrderState, PlacedOrder
from tests.exchanges.simulated import PAIR, Simulator, Trader, simulating

EXCHANGES = ("BINANCE", "COINBASE", "KRAKEN")
ORDER_PATHS = {
    "BINANCE": "POST /api/v3/order",
    "COINBASE": "POST /api/v3/brokerage/orders",
    "KRAKEN": "AddOrder",
}
FEES = {"BINANCE": "0.001", "COINBASE": "0.012", "KRAKEN": "0.004"}
AMOUNT = Decimal("0.01")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with simulating(has_limits=False) as simulator:
        yield simulator


@pytest.fixture(params=EXCHANGES)
def trader(request: pytest.FixtureRequest, simulator: Simulator) -> Trader:
    return simulator.trader(request.param)


def new_id() -> str:
    return str(uuid.uuid4())


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def price_at(trader: Trader, price: str) -> None:
    """Hold the market's price; what the simulator had taken from its book is back."""
    trader.control("price", pair=PAIR, price=price)


def test_what_an_order_moves_is_what_its_fills_say_to_the_last_digit(trader: Trader) -> None:
    before = trader.totals()

    report = trader.trading().create_market_order(PAIR, "BUY", AMOUNT, new_id())

    [fill] = report.fills
    is_fee_of_base = fill.fee_currency == "BTC"
    after = trader.totals()
    assert after["BTC"] - before["BTC"] == AMOUNT - (fill.fee if is_fee_of_base else 0)
    assert before["USDT"] - after["USDT"] == fill.cost + (0 if is_fee_of_base else fill.fee)
    assert is_fee_of_base == (trader.exchange == "BINANCE")
    base_of_fee = AMOUNT if is_fee_of_base else fill.cost
    assert fill.fee == (base_of_fee * Decimal(FEES[trader.exchange])).quantize(Decimal("1e-8"))


def test_a_limit_order_rests_holds_its_money_and_fills_when_the_price_comes(trader: Trader) -> None:
    price_at(trader, "60000")
    client_id = new_id()

    report = trader.trading().create_limit_order(PAIR, "BUY", AMOUNT, Decimal(59000), client_id)
    resting = trader.account().fetch_balances()["USDT"]
    price_at(trader, "58999")
    filled = trader.trading().find_order(client_id, an_hour_ago())

    assert (report.state, report.fills) == (OrderState.OPEN, ())
    assert resting.locked >= 590
    assert resting.free + resting.locked == 10_000
    assert filled is not None
    assert (filled.state, filled.filled) == (OrderState.FILLED, AMOUNT)
    assert {fill.price for fill in filled.fills} == {Decimal(59000)}


def test_a_canceled_order_frees_what_it_held_and_canceling_twice_changes_nothing(trader: Trader) -> None:
    price_at(trader, "60000")
    trading = trader.trading()
    report = trading.create_limit_order(PAIR, "SELL", AMOUNT, Decimal(61000), new_id())
    assert [order.exchange_order_id for order in trading.fetch_open_orders()] == [report.exchange_order_id]

    ended = [trading.cancel_order(report.exchange_order_id) for _ in range(2)]

    assert [order.state for order in ended] == [OrderState.CANCELED] * 2
    assert trading.fetch_open_orders() == []
    assert trader.account().fetch_balances()["BTC"].locked == 0


def test_canceling_what_has_filled_says_so(trader: Trader) -> None:
    trading = trader.trading()
    report = trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())

    assert trading.cancel_order(report.exchange_order_id) == report


def test_a_stop_waits_and_sells_when_the_loss_has_come(trader: Trader) -> None:
    price_at(trader, "60000")
    trading = trader.trading()
    report = trading.create_limit_order(
        PAIR, "SELL", AMOUNT, Decimal(57000), new_id(), stop_price=Decimal(58000)
    )
    assert report.state == OrderState.OPEN

    price_at(trader, "58500")
    waiting = trading.fetch_order(report.exchange_order_id)
    price_at(trader, "57900")
    sold = trading.fetch_order(report.exchange_order_id)

    assert (waiting.state, sold.state) == (OrderState.OPEN, OrderState.FILLED)
    assert all(Decimal(57000) <= fill.price <= Decimal(58000) for fill in sold.fills)


def test_a_thin_book_fills_a_part_and_the_rest_is_not_left_behind(trader: Trader) -> None:
    ticker = trader.simulator.public(trader.exchange).fetch_ticker(PAIR)
    levels = [[str(ticker.bid), "0.004"], [str(ticker.bid - 10), "0.003"]]
    trader.control("depth", pair=PAIR, bids=levels)

    report = trader.trading().create_market_order(PAIR, "SELL", AMOUNT, new_id())

    assert [(fill.price, fill.amount) for fill in sorted(report.fills, key=lambda fill: -fill.price)] == [
        (ticker.bid, Decimal("0.004")),
        (ticker.bid - 10, Decimal("0.003")),
    ]
    assert report.state in (OrderState.EXPIRED, OrderState.CANCELED)
    assert trader.account().fetch_balances()["BTC"].locked == 0


def test_an_order_is_found_by_its_client_id_among_others(trader: Trader) -> None:
    trading, ids = trader.trading(), [new_id() for _ in range(2)]
    reports = [trading.create_market_order(PAIR, "SELL", AMOUNT, client_id) for client_id in ids]

    assert [trading.find_order(client_id, an_hour_ago()) for client_id in ids] == reports
    assert trading.find_order(new_id(), an_hour_ago()) is None


def test_too_little_money_is_a_definite_no(trader: Trader) -> None:
    with pytest.raises(OrderRejected, match=f"{trader.exchange} refused an order to SELL 2 BTC/USDT"):
        trader.trading().create_market_order(PAIR, "SELL", Decimal(2), new_id())

    assert trader.orders() == []


@pytest.mark.parametrize("price", ["60000.001", "0", "-1"])
def test_a_price_off_the_tick_is_not_rounded(trader: Trader, price: str) -> None:
    with pytest.raises(OrderRejected, match=r"^(off_tick|below_minimum_cost): "):
        trader.trading().create_limit_order(PAIR, "BUY", AMOUNT, Decimal(price), new_id())

    assert trader.orders() == []


def test_a_key_without_the_right_to_trade_is_refused_as_a_key(simulator: Simulator, trader: Trader) -> None:
    trader.control("account", key=trader.credentials.api_key, rights=["read"])

    with pytest.raises(KeyRefused):
        trader.trading().create_market_order(PAIR, "BUY", AMOUNT, new_id())

    assert trader.orders() == []


def test_a_revoked_key_is_refused_as_a_key(trader: Trader) -> None:
    trader.control("account", key=trader.credentials.api_key, is_revoked=True)

    with pytest.raises(KeyRefused):
        trader.account().fetch_balances()


FAULTS: dict[str, dict[str, object]] = {
    "drop": {"kind": "drop"},
    "close": {"kind": "close"},
    "hang": {"kind": "hang", "seconds": 3},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "504": {"kind": "status", "status": 504},
    "garbage": {"kind": "garbage"},
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_order_without_an_answer_is_unknown_and_the_look_up_tells(
    trader: Trader, fault: str, when: str
) -> None:
    trading, client_id = trader.trading(), new_id()
    trading._client.timeout = 2000  # ms
    trader.control("fault", when=when, match=ORDER_PATHS[trader.exchange], **FAULTS[fault])

    with pytest.raises(OutcomeUnknown, match="look it up"):
        trading.create_market_order(PAIR, "SELL", AMOUNT, client_id)
    found = trader.trading().find_order(client_id, an_hour_ago())

    assert len(trader.orders()) == (1 if when == "after" else 0), "sent once, and never again"
    assert (found is not None) == (when == "after")


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, RecursionError, KeyError])
def test_whatever_breaks_once_an_order_has_left_it_is_unknown(trader: Trader, error: type[Exception]) -> None:
    trading = trader.trading()

    def broken(*_: object) -> None:
        raise error("while the answer was taken apart")

    trading._client.parse_order = broken

    with pytest.raises(OutcomeUnknown, match="look it up"):
        trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())
    assert len(trader.orders()) == 1


def test_an_order_that_was_taken_but_cannot_be_read_is_unknown_too(trader: Trader) -> None:
    trading, client_id = trader.trading(), new_id()
    read = {"BINANCE": "GET /api/v3/order", "COINBASE": "orders/historical", "KRAKEN": "QueryOrders"}
    trader.control("fault", kind="drop", match=read[trader.exchange])

    with pytest.raises(OutcomeUnknown, match="does not tell what became of it"):
        trading.create_market_order(PAIR, "SELL", AMOUNT, client_id)

    found = trader.trading().find_order(client_id, an_hour_ago())
    assert found is not None
    assert found.filled == AMOUNT


@pytest.mark.parametrize("exchange", ["BINANCE", "COINBASE"])
def test_an_order_that_lands_late_is_found_late(simulator: Simulator, exchange: str) -> None:
    trader = simulator.trader(exchange)
    trading, client_id = trader.trading(), new_id()
    trader.control("fault", kind="late", seconds=2, match=ORDER_PATHS[exchange])

    with pytest.raises(OutcomeUnknown):
        trading.create_market_order(PAIR, "SELL", AMOUNT, client_id)
    early = trading.find_order(client_id, an_hour_ago())
    simulator.wait_for(lambda: trader.orders() != [])

    assert early is None
    assert trading.find_order(client_id, an_hour_ago()) is not None


@pytest.mark.parametrize("exchange", ["BINANCE", "KRAKEN"])
def test_an_order_past_its_time_to_live_is_not_taken(simulator: Simulator, exchange: str) -> None:
    trader = simulator.trader(exchange)
    trading = trader.trading()
    trader.control("fault", kind="late", seconds=2, match=ORDER_PATHS[exchange])

    with pytest.raises(OutcomeUnknown):
        trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())
    trader.control("clock", move_seconds=20)
    simulator.wait_for(lambda: has_arrived(trader, ORDER_PATHS[exchange]))

    assert trader.orders() == []


def test_kraken_takes_no_order_after_a_call_that_was_made_later(simulator: Simulator) -> None:
    trader = simulator.trader("KRAKEN")
    trading = trader.trading()
    trader.control("fault", kind="late", seconds=2, match="AddOrder")

    with pytest.raises(OutcomeUnknown):
        trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())
    trader.account().fetch_balances()  # has a larger nonce
    simulator.wait_for(lambda: has_arrived(trader, "AddOrder"))

    assert trader.orders() == []


def has_arrived(trader: Trader, operation: str) -> bool:
    requests = trader.control("log")["requests"]
    return any(operation in f"{request['method']} {request['path']}" for request in requests)


def test_an_order_never_leaves_when_the_budget_is_halted(trader: Trader) -> None:
    trading = trader.trading()
    trading._account.make_ready()
    account = trading._account

    account.budget.halt(60)

    with pytest.raises(ExchangeError) as caught:
        trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())
    assert not isinstance(caught.value, OutcomeUnknown)
    assert trader.orders() == []


def test_a_client_id_means_one_order_only_where_the_exchange_says_so(trader: Trader) -> None:
    trading, client_id = trader.trading(), new_id()
    for _ in range(2):
        trading.create_market_order(PAIR, "SELL", AMOUNT, client_id)

    is_for_ever = trader.exchange == "COINBASE"
    assert len(trader.orders()) == (1 if is_for_ever else 2), "why nothing is ever sent again"


@pytest.mark.parametrize("exchange", ["BINANCE", "KRAKEN"])
def test_a_client_id_of_an_open_order_cannot_be_used_again(simulator: Simulator, exchange: str) -> None:
    trader = simulator.trader(exchange)
    price_at(trader, "60000")
    trading, client_id = trader.trading(), new_id()
    trading.create_limit_order(PAIR, "BUY", AMOUNT, Decimal(50000), client_id)

    with pytest.raises((OutcomeUnknown, OrderRejected)):
        trading.create_limit_order(PAIR, "BUY", AMOUNT, Decimal(50000), client_id)

    assert len(trader.orders()) == 1


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROWS_PER_CALL", "BINANCE_ROWS_PER_CALL"):
        monkeypatch.setattr(f"exchanges.ccxt_trading.{name}", 25)


def levels_around(trader: Trader, count: int) -> Decimal:
    """Show a book whose every level holds a thousandth of the base; return what all of them hold."""
    ask = trader.simulator.public(trader.exchange).fetch_ticker(PAIR).ask
    asks = [[str(ask + number), "0.001"] for number in range(count)]
    trader.control("depth", pair=PAIR, asks=asks)
    return count * Decimal("0.001")


def test_an_order_of_very_many_fills_is_read_to_the_last(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    amount = levels_around(trader, 60)

    report = trader.trading().create_market_order(PAIR, "BUY", amount, new_id())

    assert (report.state, report.filled, len(report.fills)) == (OrderState.FILLED, amount, 60)


def test_all_that_an_account_traded_is_listed_with_its_orders(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    trading = trader.trading()
    sold = trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())
    bought = trading.create_market_order(PAIR, "BUY", levels_around(trader, 60), new_id())

    fills = trading.fetch_fills(an_hour_ago())

    assert [each.fill for each in fills if each.exchange_order_id == sold.exchange_order_id] == list(
        sold.fills
    )
    of_buy = [each for each in fills if each.exchange_order_id == bought.exchange_order_id]
    assert {each.fill for each in of_buy} == set(bought.fills)
    assert {each.side for each in of_buy} == {"BUY"}
    assert len(fills) == len(sold.fills) + 60


def test_trades_before_the_moment_and_on_other_markets_are_left_out(trader: Trader) -> None:
    trading = trader.trading()
    report = trading.create_market_order(PAIR, "SELL", AMOUNT, new_id())
    account = trader.account()
    ticker = trader.simulator.public(trader.exchange).fetch_ticker("ETH/USDT")
    rules = replace(trader.simulator.rules(trader.exchange), amount_step=Decimal("0.0001"))
    CcxtTrading(account, "ETH/USDT", rules, ticker).create_market_order("ETH/USDT", "BUY", AMOUNT, new_id())

    assert trading.fetch_fills(datetime.now(UTC) + timedelta(minutes=1)) == []
    for since in (an_hour_ago(), an_hour_ago() - timedelta(days=3)):
        assert [each.exchange_order_id for each in trading.fetch_fills(since)] == [report.exchange_order_id]


def test_coinbase_is_asked_for_every_page_of_its_orders(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.ccxt_trading.ROWS_PER_CALL", 2)
    trading, ids = simulator.trader("COINBASE").trading(), [new_id() for _ in range(5)]
    for client_id in ids:
        trading.create_market_order(PAIR, "SELL", AMOUNT, client_id)

    found = [trading.find_order(client_id, an_hour_ago()) for client_id in ids]

    assert [order and order.client_order_id for order in found] == ids


def test_what_was_ordered_is_listed_as_it_was_ordered_however_it_ended(trader: Trader) -> None:
    price_at(trader, "60000")
    trading, ids, since = trader.trading(), [new_id() for _ in range(4)], an_hour_ago()
    made = [
        trading.create_market_order(PAIR, "BUY", AMOUNT, ids[0]),
        trading.create_limit_order(PAIR, "BUY", AMOUNT, Decimal(50_000), ids[1]),
        trading.create_limit_order(PAIR, "BUY", AMOUNT, Decimal(51_000), ids[2]),
        trading.create_limit_order(PAIR, "SELL", AMOUNT, Decimal(57_000), ids[3], stop_price=Decimal(58_000)),
    ]
    trading.cancel_order(made[1].exchange_order_id)

    placed = trading.fetch_placed(since)

    assert all(since < each.placed_at < since + timedelta(hours=2) for each in placed)
    prices = [(None, None), (50_000, None), (51_000, None), (57_000, 58_000)]
    assert placed == [
        PlacedOrder(
            client_order_id=client_id,
            exchange_order_id=report.exchange_order_id,
            side="SELL" if stop else "BUY",
            amount=AMOUNT,
            limit_price=Decimal(limit) if limit else None,
            stop_price=Decimal(stop) if stop else None,
            placed_at=each.placed_at,
            is_open=client_id in ids[2:],
        )
        for client_id, report, (limit, stop), each in zip(ids, made, prices, placed, strict=True)
    ]


def test_orders_are_listed_to_the_last_page_and_of_one_market(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ROWS_PER_CALL", "BINANCE_ROWS_PER_CALL", "KRAKEN_ROWS_PER_CALL"):
        monkeypatch.setattr(f"exchanges.ccxt_trading.{name}", 3)
    trading, ids = trader.trading(), [new_id() for _ in range(6)]
    for client_id in ids:
        trading.create_market_order(PAIR, "SELL", AMOUNT, client_id)
    rules = replace(trader.simulator.rules(trader.exchange), amount_step=Decimal("0.0001"))
    ticker = trader.simulator.public(trader.exchange).fetch_ticker("ETH/USDT")
    other = CcxtTrading(trader.account(), "ETH/USDT", rules, ticker)
    other.create_market_order("ETH/USDT", "BUY", AMOUNT, new_id())

    for since in (an_hour_ago(), an_hour_ago() - timedelta(days=3)):
        assert [each.client_order_id for each in trading.fetch_placed(since)] == ids
