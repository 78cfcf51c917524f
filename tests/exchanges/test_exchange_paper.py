from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot_sdk.market_rules import MarketRules
from exchanges.errors import OrderRejected
from exchanges.gateway import Ticker, TradingGateway
from exchanges.paper_gateway import PaperGateway

RULES = MarketRules(
    price_tick=Decimal("0.01"),
    amount_step=Decimal("0.001"),
    minimum_amount=Decimal("0.002"),
    minimum_cost=Decimal(5),
    taker_fee_fraction=Decimal("0.001"),
)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def paper(bid: str = "99.50", ask: str = "100.50") -> TradingGateway:
    return PaperGateway("ABC/USDT", RULES, Ticker(Decimal(100), Decimal(bid), Decimal(ask), NOON))


@pytest.mark.parametrize(
    ("side", "price", "cost", "fee"), [("BUY", "100.50", "201", "0.201"), ("SELL", "99.50", "199", "0.199")]
)
def test_an_order_fills_at_the_other_sides_price_with_the_fee_in_quote(
    side: str, price: str, cost: str, fee: str
) -> None:
    report = paper().create_market_order("ABC/USDT", side, Decimal(2), "id-1")

    [fill] = report.fills
    assert (report.client_order_id, report.state) == ("id-1", "FILLED")
    assert (fill.price, fill.amount, fill.cost, fill.fee) == (Decimal(price), 2, Decimal(cost), Decimal(fee))
    assert (fill.fee_currency, fill.filled_at) == ("USDT", NOON)


def test_the_same_order_gives_the_same_report_and_another_one_another_trade() -> None:
    first, again = (paper().create_market_order("ABC/USDT", "BUY", Decimal(1), "id-1") for _ in range(2))
    other = paper().create_market_order("ABC/USDT", "BUY", Decimal(1), "id-2")

    assert first == again
    assert first.fills[0].trade_id != other.fills[0].trade_id
    assert first.exchange_order_id != other.exchange_order_id


@pytest.mark.parametrize(
    ("pair", "side", "amount", "code"),
    [
        ("ABC/USDT", "BUY", "0.001", "below_minimum_amount"),
        ("ABC/USDT", "BUY", "0", "below_minimum_amount"),
        ("ABC/USDT", "BUY", "-1", "below_minimum_amount"),
        ("ABC/USDT", "SELL", "0.05", "below_minimum_cost"),
        ("ABC/USDT", "BUY", "1.0005", "off_step"),
        ("XYZ/USDT", "BUY", "1", "unknown_pair"),
        ("ABC/USDT", "HOLD", "1", "unknown_side"),
    ],
)
def test_an_order_against_the_rules_is_rejected_with_its_code(
    pair: str, side: str, amount: str, code: str
) -> None:
    with pytest.raises(OrderRejected, match=f"^{code}: "):
        paper().create_market_order(pair, side, Decimal(amount), "id-1")
