"""A bot's past signals with another account, counted by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_sdk.configs import ExecutionConfig
from bot_sdk.past_signals import Outcome, PastSignal, needed_capital, outcome_of
from bot_sdk.skip_reasons import SkipReason
from tests.bot_sdk.samples import make_execution, make_rules

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MOST = Decimal(10**9)
ALL = make_execution(buy_order_type="ALL", buy_order_value=None)


def signals_of(*wanted: tuple[str, int]) -> list[PastSignal]:
    return [
        PastSignal(BEGIN + timedelta(hours=hour), action, Decimal(price))
        for hour, (action, price) in enumerate(wanted)
    ]


ROUND_TRIPS = signals_of(("BUY", 100), ("SELL", 110), ("SELL", 110), ("BUY", 100))


def test_signals_become_orders_as_far_as_money_and_rules_let_them() -> None:
    found = outcome_of(ROUND_TRIPS, capital=Decimal(1000), rules=make_rules(), execution=make_execution())

    # 1 base for 100, sold for 110, bought again: 0.1 % of 310
    assert found == Outcome(buys=2, sells=1, skips={SkipReason.NO_POSITION: 1}, fees=Decimal("0.31"))
    assert found.orders == 3


def test_buys_below_the_smallest_order_are_none() -> None:
    found = outcome_of(ROUND_TRIPS, capital=Decimal(99), rules=make_rules(), execution=make_execution())

    assert found == Outcome(
        buys=0, sells=0, skips={SkipReason.BELOW_MINIMUM_COST: 2, SkipReason.NO_POSITION: 2}, fees=Decimal(0)
    )


def test_a_second_buy_finds_what_the_first_has_left() -> None:
    twice = signals_of(("BUY", 100), ("BUY", 100))

    found = outcome_of(twice, capital=Decimal(1000), rules=make_rules(), execution=ALL)

    assert (found.buys, found.skips) == (1, {SkipReason.INSUFFICIENT_BALANCE: 1})


def test_no_signals_become_nothing() -> None:
    assert outcome_of([], capital=Decimal(1), rules=make_rules(), execution=ALL).orders == 0
    assert needed_capital([], rules=make_rules(), execution=ALL, most=MOST) is None


def test_the_needed_capital_is_that_of_the_smallest_order() -> None:
    rules, execution = make_rules(), make_execution()

    # a tenth of it has to be 10, the smallest cost
    assert needed_capital(ROUND_TRIPS, rules=rules, execution=execution, most=MOST) == 100


def test_the_needed_capital_minds_steps_and_fees() -> None:
    # 0.2 is two steps of 0.1; at 101 the smallest cost of 10 takes 0.1, which with its fee costs 10.1101
    rules = make_rules(amount_step="0.1", minimum_amount="0.1")
    once = signals_of(("BUY", 101))

    assert needed_capital(once, rules=rules, execution=ALL, most=MOST) == Decimal("10.2")
    assert outcome_of(once, capital=Decimal("10.1101"), rules=rules, execution=ALL).buys == 1
    assert outcome_of(once, capital=Decimal("10.11"), rules=rules, execution=ALL).buys == 0


def test_fixed_buys_one_after_the_other_need_all_of_their_money() -> None:
    fixed = make_execution(buy_order_type="FIXED", buy_order_value=50)
    thrice = signals_of(("BUY", 100), ("BUY", 100), ("BUY", 100))

    # two buys of 50 with their fees, and of the third what is above the smallest order
    assert needed_capital(thrice, rules=make_rules(), execution=fixed, most=MOST) == Decimal("111")


def test_no_capital_makes_a_buy_of_too_little_larger() -> None:
    fixed = make_execution(buy_order_type="FIXED", buy_order_value=9)

    assert needed_capital(ROUND_TRIPS, rules=make_rules(), execution=fixed, most=MOST) is None


@pytest.mark.parametrize("execution", [ALL, make_execution()])
@settings(max_examples=15, deadline=None)
@given(prices=st.lists(st.integers(50, 150), min_size=1, max_size=6))
def test_with_the_needed_capital_all_pass_that_can(execution: ExecutionConfig, prices: list[int]) -> None:
    rules = make_rules()
    signals = signals_of(*((("BUY", "SELL")[index % 2], price) for index, price in enumerate(prices)))

    needed = needed_capital(signals, rules=rules, execution=execution, most=MOST)

    assert needed is not None
    buys = [
        outcome_of(signals, capital=capital, rules=rules, execution=execution).buys
        for capital in (needed, MOST)
    ]
    assert buys[0] == buys[1] > 0
