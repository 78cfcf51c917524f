"""What every place that takes orders does alike: our paper, and each exchange through ccxt."""

import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest

from exchanges.errors import OrderRejected
from exchanges.gateway import OrderState, TradingGateway
from exchanges.paper_gateway import PaperGateway
from tests.exchanges.simulated import PAIR, Simulator, simulating

PLACES = ("PAPER", "BINANCE LIVE", "BINANCE TESTNET", "COINBASE LIVE", "KRAKEN LIVE")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with simulating(has_limits=False) as simulator:
        yield simulator


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, simulator: Simulator) -> TradingGateway:
    if request.param == "PAPER":
        ticker = simulator.public("BINANCE").fetch_ticker(PAIR)
        return PaperGateway(PAIR, simulator.rules("BINANCE"), ticker)
    return simulator.trader(*request.param.split()).trading()


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_market_order_fills_and_its_fills_add_up(
    place: TradingGateway, simulator: Simulator, side: str
) -> None:
    client_id = str(uuid.uuid4())

    report = place.create_market_order(PAIR, side, Decimal("0.002"), client_id)

    ticker = simulator.public("BINANCE").fetch_ticker(PAIR)  # all exchanges play one tape
    assert (report.client_order_id, report.state, report.filled) == (
        client_id,
        OrderState.FILLED,
        Decimal("0.002"),
    )
    assert report.exchange_order_id
    assert len({fill.trade_id for fill in report.fills}) == len(report.fills)
    for fill in report.fills:
        assert fill.cost == fill.price * fill.amount
        assert abs(fill.price / ticker.last - 1) < Decimal("0.01")
        assert (fill.fee > 0, fill.fee_currency in PAIR.split("/")) == (True, True)


@pytest.mark.parametrize(
    ("pair", "side", "amount", "code"),
    [
        (PAIR, "BUY", "0.000005", "off_step"),
        (PAIR, "BUY", "0.00001", "below_minimum_cost"),
        (PAIR, "SELL", "0.00001", "below_minimum_cost"),
        (PAIR, "BUY", "0", "below_minimum_amount"),
        (PAIR, "BUY", "-1", "below_minimum_amount"),
        ("ETH/USDT", "BUY", "1", "unknown_pair"),
        (PAIR, "HOLD", "1", "unknown_side"),
    ],
)
def test_an_order_against_the_rules_goes_nowhere(
    place: TradingGateway, pair: str, side: str, amount: str, code: str
) -> None:
    with pytest.raises(OrderRejected, match=f"^{code}: "):
        place.create_market_order(pair, side, Decimal(amount), str(uuid.uuid4()))


def test_two_orders_have_two_ids_and_other_trades(place: TradingGateway) -> None:
    first, second = (
        place.create_market_order(PAIR, "BUY", Decimal("0.001"), str(uuid.uuid4())) for _ in range(2)
    )

    assert first.exchange_order_id != second.exchange_order_id
    assert {fill.trade_id for fill in first.fills}.isdisjoint(fill.trade_id for fill in second.fills)


@pytest.mark.parametrize(("side", "factor"), [("BUY", "0.9"), ("SELL", "1.1")])
def test_a_limit_away_from_the_market_stays_open(
    place: TradingGateway, simulator: Simulator, side: str, factor: str
) -> None:
    price = round(simulator.public("BINANCE").fetch_ticker(PAIR).last * Decimal(factor), 1)

    report = place.create_limit_order(PAIR, side, Decimal("0.002"), price, str(uuid.uuid4()))

    assert (report.state, report.fills) == (OrderState.OPEN, ())


@pytest.mark.parametrize(("side", "factor"), [("BUY", "1.01"), ("SELL", "0.99")])
def test_a_limit_beyond_the_market_fills_no_worse_than_it(
    place: TradingGateway, simulator: Simulator, side: str, factor: str
) -> None:
    price = round(simulator.public("BINANCE").fetch_ticker(PAIR).last * Decimal(factor), 1)

    report = place.create_limit_order(PAIR, side, Decimal("0.002"), price, str(uuid.uuid4()))

    assert (report.state, report.filled) == (OrderState.FILLED, Decimal("0.002"))
    for fill in report.fills:
        assert fill.price <= price if side == "BUY" else fill.price >= price


def test_a_limit_between_two_ticks_goes_nowhere(place: TradingGateway) -> None:
    with pytest.raises(OrderRejected, match="^off_tick: "):
        place.create_limit_order(PAIR, "BUY", Decimal("0.002"), Decimal("50000.0001"), str(uuid.uuid4()))
