import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_sdk.configs import RiskConfig
from bot_sdk.ledger import Holding, apply_fill, put_in
from bot_sdk.market_rules import MarketRules
from bot_sdk.risk_state import RiskState
from tests.bot_sdk.samples import make_risk, make_rules

CAPITAL = Decimal(1000)
FLAT = Holding.start(CAPITAL)
LONG = apply_fill(FLAT, "BUY", Decimal(2), Decimal(100), Decimal(0))  # 2 at 100, 800 in quote left
FRESH = RiskState.start(CAPITAL)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RULES = make_rules()


def looked(
    state: RiskState, price: str, holding: Holding = LONG, at: datetime = NOON, **limits: float
) -> RiskState:
    return state.seen(at=at, bid=Decimal(price), holding=holding, risk=make_risk(**limits))


def traded(
    state: RiskState, before: Holding, side: str, amount: str, price: str, *, rules: MarketRules = RULES
) -> tuple[RiskState, Holding]:
    after = apply_fill(before, side, Decimal(amount), Decimal(price), Decimal(0))
    return state.filled(at=NOON, before=before, after=after, price=Decimal(price), rules=rules), after


def test_a_state_starts_without_a_past() -> None:
    assert (FRESH.peak_price, FRESH.day, FRESH.last_loss_at) == (None, None, None)
    assert FRESH.peak_equity == FRESH.day_start_equity == CAPITAL
    assert (FRESH.orders_today, FRESH.is_halted) == (0, False)


def test_the_peak_price_follows_the_bid_up_and_not_down() -> None:
    state = looked(looked(looked(FRESH, "100"), "120"), "110")

    assert state.peak_price == 120


def test_there_is_no_peak_price_without_a_position() -> None:
    assert looked(replace(FRESH, peak_price=Decimal(120)), "110", FLAT).peak_price is None


def test_the_peak_price_begins_with_the_price_that_opened_the_position() -> None:
    state, holding = traded(FRESH, FLAT, "BUY", "2", "100")

    assert state.peak_price == 100
    assert looked(state, "90", holding).peak_price == 100


def test_buying_more_leaves_the_peak_price() -> None:
    state, _ = traded(looked(FRESH, "120"), LONG, "BUY", "1", "90")

    assert state.peak_price == 120


def test_selling_a_part_leaves_the_peak_price_and_selling_all_ends_it() -> None:
    state, half = traded(looked(FRESH, "120"), LONG, "SELL", "1", "110")
    sold, _ = traded(state, half, "SELL", "1", "110")

    assert (state.peak_price, sold.peak_price) == (120, None)


def test_dust_of_an_old_position_does_not_keep_its_peak_price() -> None:
    state, dust = traded(looked(FRESH, "120"), LONG, "SELL", "1.95", "110")
    bought, _ = traded(state, dust, "BUY", "1", "80")

    assert bought.peak_price == 80


def test_the_peak_equity_is_the_highest_at_the_bid() -> None:
    state = looked(looked(FRESH, "120"), "90")

    assert state.peak_equity == 1040


@pytest.mark.parametrize(("price", "is_halted"), [("50.01", False), ("50", True), ("10", True)])
def test_trading_halts_from_the_drawdown_limit_on(price: str, is_halted: bool) -> None:
    # 2 at 50 and 800 are 900: 10 % below the capital of 1000.
    assert looked(FRESH, price, max_drawdown_percent=10).is_halted == is_halted


def test_the_drawdown_is_measured_from_the_highest_equity() -> None:
    high = looked(FRESH, "200", max_drawdown_percent=10)  # 1200, so the limit is at 1080

    assert not looked(high, "140.01", max_drawdown_percent=10).is_halted
    assert looked(high, "140", max_drawdown_percent=10).is_halted


def test_without_a_limit_nothing_halts() -> None:
    assert not looked(FRESH, "0.01").is_halted


def test_a_halt_outlives_the_recovery_and_the_limit() -> None:
    halted = looked(FRESH, "50", max_drawdown_percent=10)

    assert looked(halted, "500", max_drawdown_percent=10).is_halted
    assert looked(halted, "500").is_halted


def test_a_lifted_halt_measures_the_drawdown_anew() -> None:
    lifted = looked(FRESH, "50", max_drawdown_percent=10).lifted(LONG.equity(Decimal(50)))

    assert (lifted.is_halted, lifted.peak_equity) == (False, 900)
    assert not looked(lifted, "50", max_drawdown_percent=10).is_halted
    assert looked(lifted, "5", max_drawdown_percent=10).is_halted  # 810 of 900


def test_a_day_begins_with_the_equity_of_its_first_look() -> None:
    state = looked(FRESH, "110")

    assert (state.day, state.day_start_equity) == (date(2026, 1, 1), 1020)
    assert looked(state, "150", at=NOON + timedelta(hours=11, minutes=59)).day_start_equity == 1020


def test_midnight_utc_begins_a_new_day_without_orders() -> None:
    state = looked(FRESH, "110").ordered().ordered()

    new = looked(state, "90", at=datetime(2026, 1, 2, tzinfo=UTC))

    assert (state.orders_today, new.orders_today) == (2, 0)
    assert (new.day, new.day_start_equity) == (date(2026, 1, 2), 980)


def test_a_day_is_one_in_utc_wherever_the_clock_stands() -> None:
    late_in_new_york = datetime(2026, 1, 1, 20, tzinfo=timezone(timedelta(hours=-5)))

    assert looked(FRESH, "100", at=late_in_new_york).day == date(2026, 1, 2)


def test_a_late_look_does_not_bring_yesterday_back() -> None:
    today = looked(FRESH, "110").ordered()

    assert looked(today, "100", at=NOON - timedelta(days=1)) == today


def test_looking_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        looked(FRESH, "100", at=NOON.replace(tzinfo=None))


def test_a_sale_at_a_loss_is_remembered_and_one_at_a_gain_is_not() -> None:
    lost, _ = traded(FRESH, LONG, "SELL", "1", "99.99")
    won, _ = traded(FRESH, LONG, "SELL", "1", "100.01")
    even, _ = traded(FRESH, LONG, "SELL", "1", "100")

    assert (lost.last_loss_at, won.last_loss_at, even.last_loss_at) == (NOON, None, None)


def test_a_gain_does_not_end_the_memory_of_a_loss() -> None:
    lost, half = traded(FRESH, LONG, "SELL", "1", "99")

    assert traded(lost, half, "SELL", "1", "150")[0].last_loss_at == NOON


def test_money_that_flows_is_neither_gain_nor_loss() -> None:
    fallen = looked(looked(FRESH, "200"), "140")  # 1080 after a highest of 1200, 10 % below

    rich, much = fallen.flowed(Decimal(1000), capital=CAPITAL), put_in(LONG, Decimal(1000))
    poor, little = fallen.flowed(Decimal(-800), capital=CAPITAL), put_in(LONG, Decimal(-800))

    for state, held in ((rich, much), (poor, little)):
        assert state.day_start_equity - held.equity(Decimal(140)) == 1200 - 1080
        assert not looked(state, "140", held, max_drawdown_percent=10.01).is_halted
        assert looked(state, "140", held, max_drawdown_percent=10).is_halted
        seen = looked(state, "140", held)
        assert state.growth(held.equity(Decimal(140))) == Decimal("1.08")
        assert seen.growth(held.equity(Decimal(140))) == pytest.approx(Decimal("1.08"))
        assert seen.peak_equity * 90 / 100 == pytest.approx(held.equity(Decimal(140)))
        assert seen.flows == 0


def test_the_days_limit_stays_what_it_is_in_money_until_the_next_day() -> None:
    begun = looked(FRESH, "100").flowed(Decimal(500), capital=CAPITAL)
    again = begun.flowed(Decimal(-700), capital=Decimal(1500))

    assert (begun.day_capital, again.day_capital) == (CAPITAL, CAPITAL)
    assert looked(again, "100", put_in(LONG, Decimal(-200))).day_capital == CAPITAL
    tomorrow = looked(again, "100", put_in(LONG, Decimal(-200)), at=NOON + timedelta(days=1))
    assert tomorrow.day_capital is None
    assert tomorrow.day_start_equity == 800


def test_a_lifted_halt_does_not_count_what_has_just_been_put_in() -> None:
    held = put_in(LONG, Decimal(1000))
    halted = looked(FRESH, "50", max_drawdown_percent=10).flowed(Decimal(1000), capital=CAPITAL)

    lifted = halted.lifted(held.equity(Decimal(50)))

    assert not looked(lifted, "50", held, max_drawdown_percent=1).is_halted


def test_what_is_put_in_where_nothing_was_left_brings_nothing_back() -> None:
    lost, held = FRESH.flowed(Decimal(500), capital=CAPITAL), Holding.start(Decimal(500))

    seen = looked(lost, "1", held, max_drawdown_percent=50)

    assert seen.is_halted
    assert seen.growth(Decimal(500)) == 0


def test_what_was_stored_before_capital_could_change_has_no_flows() -> None:
    raw = FRESH.to_dict()
    for name in ("flows", "day_capital", "base"):
        del raw[name]

    assert RiskState.from_dict(raw) == FRESH


def test_a_missing_part_of_a_stored_state_is_noticed() -> None:
    raw = FRESH.to_dict()
    del raw["is_halted"]

    with pytest.raises(KeyError, match="is_halted"):
        RiskState.from_dict(raw)


numbers = st.decimals(min_value=0, allow_nan=False, allow_infinity=False)
states = st.builds(
    RiskState,
    peak_price=st.none() | numbers,
    peak_equity=numbers,
    day=st.none() | st.dates(),
    day_start_equity=numbers,
    orders_today=st.integers(0, 10**6),
    last_loss_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    is_halted=st.booleans(),
    flows=numbers,
    day_capital=st.none() | numbers,
    base=st.none() | numbers,
)


@given(state=states)
def test_a_state_comes_back_from_json_to_the_last_digit(state: RiskState) -> None:
    back = RiskState.from_dict(json.loads(json.dumps(state.to_dict())))

    assert back == state
    assert back.to_dict() == state.to_dict()


prices = st.integers(1, 10**6).map(lambda cents: Decimal(cents).scaleb(-2))
looks = st.lists(st.tuples(prices, st.integers(0, 40)), min_size=1, max_size=30)


@given(looks=looks, limit=st.integers(1, 100))
def test_while_a_position_is_open_no_peak_falls_and_no_halt_ends(
    looks: list[tuple[Decimal, int]], limit: int
) -> None:
    state, at = FRESH, NOON
    risk = RiskConfig(max_drawdown_percent=Decimal(limit))

    for bid, hours in looks:
        at += timedelta(hours=hours)
        before, state = state, state.seen(at=at, bid=bid, holding=LONG, risk=risk)

        assert state.peak_price is not None and state.peak_price >= max(before.peak_price or bid, bid)
        assert state.peak_equity >= max(before.peak_equity, LONG.equity(bid))
        assert state.is_halted >= before.is_halted
        assert state.day == at.date()
        assert state.seen(at=at, bid=bid, holding=LONG, risk=risk) == state


@given(looks=looks, flow=st.integers(-799, 10**6))
def test_a_flow_changes_no_return_and_no_drawdown_at_the_price_of_the_next_look(
    looks: list[tuple[Decimal, int]], flow: int
) -> None:
    state = FRESH
    for bid, _ in looks:
        state = looked(state, str(bid))
    bid, fall = looks[-1][0], 1 - LONG.equity(looks[-1][0]) / state.peak_equity

    held = put_in(LONG, Decimal(flow or 1))
    flowed = state.flowed(Decimal(flow or 1), capital=CAPITAL)
    seen = looked(flowed, str(bid), held)

    after = held.equity(bid)
    assert flowed.growth(after) == pytest.approx(LONG.equity(bid) / CAPITAL)
    assert seen.growth(after) == pytest.approx(LONG.equity(bid) / CAPITAL)
    assert 1 - after / seen.peak_equity == pytest.approx(fall)
    assert looked(seen, str(bid), held) == seen


@given(deeds=st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), prices, st.integers(1, 100)), max_size=30))
def test_there_is_a_peak_price_exactly_while_something_is_held(deeds: list[Any]) -> None:
    state, holding = FRESH, FLAT
    rules = make_rules(amount_step="0.00000001", minimum_amount="0", minimum_cost="0")

    for side, price, percent in deeds:
        whole = holding.base_amount if side == "SELL" else holding.quote_balance / price
        amount = rules.round_down(whole * percent / 100)
        if amount:
            state, holding = traded(state, holding, side, str(amount), str(price), rules=rules)
        state = state.seen(at=NOON, bid=price, holding=holding, risk=RiskConfig())

        assert (state.peak_price is None) == (holding.base_amount == 0)
