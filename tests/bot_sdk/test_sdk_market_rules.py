from decimal import Decimal

import pytest

from bot_sdk.market_rules import MarketRules
from bot_sdk.matching import (
    Execution,
    fill_limit_order,
    fill_market_order,
    is_traded_through,
    limit_is_reached,
)
from bot_sdk.risk import SkipReason
from tests.bot_sdk.samples import make_rules

BID, ASK = Decimal("99.99"), Decimal("100.01")


@pytest.mark.parametrize(
    ("amount", "rounded"), [("0.0019999", "0.001"), ("0.002", "0.002"), ("0.0009", "0"), ("0", "0")]
)
def test_an_amount_is_rounded_down_to_the_step(amount: str, rounded: str) -> None:
    assert make_rules().round_down(Decimal(amount)) == Decimal(rounded)


def test_rounding_down_knows_steps_that_are_no_power_of_ten() -> None:
    assert make_rules(amount_step="0.25").round_down(Decimal("1.74")) == Decimal("1.5")


def test_rounding_down_is_exact_for_huge_amounts_of_tiny_steps() -> None:
    amount = Decimal("123456789012345678901234567890.123456789")

    assert make_rules(amount_step="1e-8").round_down(amount) == Decimal(
        "123456789012345678901234567890.12345678"
    )


@pytest.mark.parametrize(
    ("amount", "price", "problem"),
    [
        ("0.001", "10000", None),
        ("0.1", "100", None),
        ("0.0999", "100", SkipReason.BELOW_MINIMUM_COST),
        ("0.0005", "100000", SkipReason.BELOW_MINIMUM_AMOUNT),
        ("0", "100", SkipReason.BELOW_MINIMUM_AMOUNT),
    ],
)
def test_the_rules_name_what_the_exchange_would_refuse(
    amount: str, price: str, problem: SkipReason | None
) -> None:
    assert make_rules().problem_with(Decimal(amount), Decimal(price)) == problem


def test_what_is_too_little_for_an_order_is_not_orderable() -> None:
    assert make_rules().orderable(Decimal("0.1009"), Decimal(100)) == Decimal("0.1")
    assert make_rules().orderable(Decimal("0.0999"), Decimal(100)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_tick": "0"},
        {"amount_step": "-1"},
        {"minimum_cost": "-1"},
        {"minimum_amount": "-1"},
        {"taker_fee_fraction": "1"},
    ],
)
def test_impossible_rules_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_rules(**wrong)


def test_a_buy_is_filled_at_the_ask() -> None:
    assert fill_market_order("BUY", Decimal(2), BID, ASK, make_rules()) == Execution(
        side="BUY", price=ASK, amount=Decimal(2), cost=Decimal("200.02"), fee=Decimal("0.20002")
    )


def test_a_sell_is_filled_at_the_bid() -> None:
    assert fill_market_order("SELL", Decimal(2), BID, ASK, make_rules()).price == BID


def test_a_fee_is_rounded_up_to_eight_places() -> None:
    rules = make_rules(amount_step="0.00000001")

    execution = fill_market_order("BUY", Decimal("0.00000001"), BID, Decimal("0.01"), rules)

    assert (execution.cost, execution.fee) == (Decimal("1e-10"), Decimal("1e-8"))


def test_a_free_market_takes_no_fee() -> None:
    rules: MarketRules = make_rules(taker_fee_fraction="0")

    assert fill_market_order("BUY", Decimal(1), BID, ASK, rules).fee == 0


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_limit_order_is_filled_at_its_price_with_the_takers_fee(side: str) -> None:
    assert fill_limit_order(side, Decimal(2), BID, make_rules()) == Execution(
        side=side, price=BID, amount=Decimal(2), cost=Decimal("199.98"), fee=Decimal("0.19998")
    )


@pytest.mark.parametrize(
    ("side", "limit_price", "is_reached"),
    [
        ("BUY", "100.00", False),
        ("BUY", "100.01", True),
        ("BUY", "100.02", True),
        ("SELL", "100.00", False),
        ("SELL", "99.99", True),
        ("SELL", "99.98", True),
    ],
)
def test_a_limit_is_reached_from_the_other_sides_best_price(
    side: str, limit_price: str, is_reached: bool
) -> None:
    assert limit_is_reached(side, Decimal(limit_price), BID, ASK) == is_reached


@pytest.mark.parametrize(
    ("side", "limit_price", "is_through"),
    [("BUY", "90", False), ("BUY", "90.01", True), ("SELL", "110", False), ("SELL", "109.99", True)],
)
def test_a_candle_that_only_touches_a_limit_does_not_trade_through_it(
    side: str, limit_price: str, is_through: bool
) -> None:
    assert is_traded_through(side, Decimal(limit_price), Decimal(90), Decimal(110)) == is_through


@pytest.mark.parametrize(("side", "amount"), [("buy", "1"), ("HOLD", "1"), ("BUY", "0"), ("SELL", "-1")])
def test_an_order_that_makes_no_sense_is_refused(side: str, amount: str) -> None:
    with pytest.raises(ValueError, match=r"BUY|above zero"):
        fill_market_order(side, Decimal(amount), BID, ASK, make_rules())
    with pytest.raises(ValueError, match=r"BUY|above zero"):
        fill_limit_order(side, Decimal(amount), BID, make_rules())


def test_a_fee_is_not_more_than_what_was_sold_brings() -> None:
    rules = make_rules(amount_step="0.00000001", minimum_amount="0", minimum_cost="0")

    execution = fill_market_order("SELL", Decimal("0.00000001"), Decimal("0.01"), Decimal("0.01"), rules)

    assert execution.fee == execution.cost == Decimal("1e-10")
