from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_sdk.ledger import FeeIn, Holding, LedgerError, apply_fill, put_in
from bot_sdk.matching import fill_market_order
from bot_sdk.money import QUOTE_STEP, exact
from bot_sdk.risk import affordable_amount
from tests.bot_sdk.samples import make_rules

RULES = make_rules(amount_step="0.00000001", minimum_amount="0", minimum_cost="0")


def bought(amount: str = "2", price: str = "100", fee: str = "0.2", capital: str = "1000") -> Holding:
    return apply_fill(Holding.start(Decimal(capital)), "BUY", Decimal(amount), Decimal(price), Decimal(fee))


def test_a_start_is_all_money_and_no_position() -> None:
    holding = Holding.start(Decimal(1000))

    assert holding == Holding(Decimal(1000), Decimal(0), Decimal(0), Decimal(0), Decimal(0))
    assert holding.average_entry_price is None
    assert holding.equity(Decimal(5)) == 1000
    assert holding.unrealized_pnl(Decimal(5)) == 0


def test_buying_puts_cost_and_fee_into_the_basis() -> None:
    holding = bought()

    assert holding == Holding(Decimal("799.8"), Decimal(2), Decimal("200.2"), Decimal(0), Decimal("0.2"))
    assert holding.average_entry_price == Decimal("100.1")
    assert holding.equity(Decimal(110)) == Decimal("1019.8")
    assert holding.unrealized_pnl(Decimal(110)) == Decimal("19.8")


def test_buying_twice_averages_the_entry() -> None:
    holding = apply_fill(bought(fee="0"), "BUY", Decimal(2), Decimal(110), Decimal(0))

    assert holding.average_entry_price == 105


def test_selling_half_takes_half_the_basis() -> None:
    holding = apply_fill(bought(), "SELL", Decimal(1), Decimal(110), Decimal("0.11"))

    assert holding.quote_balance == Decimal("909.69")
    assert holding.cost_basis == Decimal("100.1")
    assert holding.realized_pnl == Decimal("9.79")
    assert holding.fees_paid == Decimal("0.31")
    assert holding.average_entry_price == Decimal("100.1")


def test_selling_all_leaves_no_dust() -> None:
    third = apply_fill(bought(amount="3"), "SELL", Decimal(1), Decimal(100), Decimal(0))
    flat = apply_fill(third, "SELL", Decimal(2), Decimal(100), Decimal(0))

    assert (flat.base_amount, flat.cost_basis) == (Decimal(0), Decimal(0))
    assert flat.average_entry_price is None
    assert flat.realized_pnl == Decimal("-0.2")
    assert flat.quote_balance == Decimal("999.8")


def test_a_fee_larger_than_the_profit_is_a_loss() -> None:
    holding = apply_fill(bought(fee="0"), "SELL", Decimal(2), Decimal("100.01"), Decimal("0.5"))

    assert holding.realized_pnl == Decimal("-0.48")


def test_a_fee_in_base_is_taken_from_what_was_bought() -> None:
    start = Holding.start(Decimal(1000))

    holding = apply_fill(start, "BUY", Decimal(2), Decimal(100), Decimal("0.002"), fee_in=FeeIn.BASE)

    assert holding == Holding(Decimal(800), Decimal("1.998"), Decimal(200), Decimal(0), Decimal("0.2"))


def test_a_fee_in_base_is_sold_on_top() -> None:
    holding = apply_fill(bought(fee="0"), "SELL", Decimal(1), Decimal(110), Decimal("0.5"), fee_in=FeeIn.BASE)

    assert (holding.base_amount, holding.cost_basis) == (Decimal("0.5"), Decimal(50))
    assert (holding.realized_pnl, holding.fees_paid) == (Decimal(-40), Decimal(55))


def test_a_fee_in_a_third_coin_leaves_the_holding_alone() -> None:
    start = Holding.start(Decimal(1000))

    with_fee = apply_fill(start, "BUY", Decimal(2), Decimal(100), Decimal("0.01"), fee_in=FeeIn.OTHER)

    assert with_fee == apply_fill(start, "BUY", Decimal(2), Decimal(100), Decimal(0))


def test_a_fee_in_base_above_what_was_bought_is_refused() -> None:
    with pytest.raises(LedgerError, match="cannot have cost a fee of 3 in base"):
        apply_fill(bought(), "BUY", Decimal(2), Decimal(100), Decimal(3), fee_in=FeeIn.BASE)


def test_what_did_happen_at_an_exchange_may_overdraw() -> None:
    start = Holding.start(Decimal(100))

    holding = apply_fill(start, "BUY", Decimal(1), Decimal(101), Decimal(0), may_overdraw=True)

    assert holding.quote_balance == -1
    assert holding.equity(Decimal(101)) == 100


def test_overselling_is_refused() -> None:
    with pytest.raises(LedgerError, match="SELL of 2.1 is more than the position of 2"):
        apply_fill(bought(), "SELL", Decimal("2.1"), Decimal(100), Decimal(0))


def test_overspending_is_refused_down_to_the_fee() -> None:
    assert bought(amount="10", price="99.9", fee="1").quote_balance == 0
    with pytest.raises(LedgerError, match="needs more than the free balance of 1000"):
        bought(amount="10", price="99.9", fee="1.000000000000000001")


@pytest.mark.parametrize(
    ("side", "amount", "price", "fee"),
    [
        ("HOLD", "1", "100", "0"),
        ("BUY", "0", "100", "0"),
        ("BUY", "-1", "100", "0"),
        ("BUY", "1", "0", "0"),
        ("BUY", "1", "100", "-1"),
        ("BUY", "NaN", "100", "0"),
        ("SELL", "1", "Infinity", "0"),
        ("BUY", "1", "100", "0.0000000000000000001"),
    ],
)
def test_a_fill_that_makes_no_sense_is_refused(side: str, amount: str, price: str, fee: str) -> None:
    with pytest.raises(LedgerError):
        apply_fill(bought(), side, Decimal(amount), Decimal(price), Decimal(fee))


@pytest.mark.parametrize("capital", ["0", "-5", "NaN", "Infinity", "1.0000000000000000001"])
def test_a_capital_that_makes_no_sense_is_refused(capital: str) -> None:
    with pytest.raises(LedgerError, match="Capital must be above zero"):
        Holding.start(Decimal(capital))


def test_what_is_put_in_or_taken_out_changes_nothing_but_capital_and_free_balance() -> None:
    holding = put_in(put_in(bought(), Decimal(300)), Decimal("-1099.8"))

    assert holding == Holding(Decimal(0), Decimal(2), Decimal("200.2"), Decimal(0), Decimal("0.2"))
    assert holding.capital == Decimal("200.2")
    with pytest.raises(LedgerError, match="0.01 cannot be taken out of the free balance of 0"):
        put_in(holding, Decimal("-0.01"))


@pytest.mark.parametrize("amount", ["0", "NaN", "Infinity", "1.0000000000000000001"])
def test_an_amount_to_put_in_that_makes_no_sense_is_refused(amount: str) -> None:
    with pytest.raises(LedgerError, match="at most 18 decimal places"):
        put_in(bought(), Decimal(amount))


prices = st.integers(1, 10**15).map(lambda ticks: Decimal(ticks).scaleb(-8))
parts = st.integers(1, 1000).map(lambda part: Decimal(part) / 1000)
capitals = st.integers(1, 10**30).map(lambda units: Decimal(units).scaleb(-18))
orders = st.lists(st.tuples(st.sampled_from(["BUY", "SELL", "IN", "OUT"]), parts, prices), max_size=30)


@given(capital=capitals, orders=orders, last=prices)
def test_after_any_fills_and_flows_every_digit_is_accounted_for(
    capital: Decimal, orders: list[tuple[str, Decimal, Decimal]], last: Decimal
) -> None:
    holding = Holding.start(capital)
    fills = []

    for side, part, price in orders:
        if side in ("IN", "OUT"):
            with exact():
                moved = (price if side == "IN" else -holding.quote_balance) * part
                moved = moved.quantize(QUOTE_STEP, rounding=ROUND_DOWN)
                if moved:
                    holding, capital = put_in(holding, moved), capital + moved
            continue
        affordable = affordable_amount(quote_balance=holding.quote_balance, price=price, rules=RULES)
        with exact():
            amount = RULES.round_down((affordable if side == "BUY" else holding.base_amount) * part)
        if amount:
            fill = fill_market_order(side, amount, price, price, RULES)
            # A sale of dust can owe more fee than it brings; the ledger refuses it when nothing else is left.
            if fill.fee <= fill.cost + holding.quote_balance:
                holding = apply_fill(holding, side, fill.amount, fill.price, fill.fee)
                fills.append(fill)

    assert holding.capital == capital
    if capital > 0:  # when it was put in makes no difference
        folded = Holding.start(capital)
        for fill in fills:
            folded = apply_fill(folded, fill.side, fill.amount, fill.price, fill.fee, may_overdraw=True)
        assert folded == holding
    with exact():
        assert holding.quote_balance + holding.cost_basis == capital + holding.realized_pnl
        assert holding.equity(last) == capital + holding.realized_pnl + holding.unrealized_pnl(last)
    assert holding.quote_balance >= 0
    assert holding.base_amount > 0 or holding.cost_basis == 0
