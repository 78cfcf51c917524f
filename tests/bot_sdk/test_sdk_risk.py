from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot_sdk import Action
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.matching import fill_market_order
from bot_sdk.money import FEE_STEP, cost_of, exact
from bot_sdk.risk import Signal, SkipReason, affordable_amount, decide, protective_exit
from bot_sdk.risk_state import RiskState
from tests.bot_sdk.samples import make_execution, make_risk, make_rules

CAPITAL = Decimal(1000)
FLAT = Holding.start(CAPITAL)
LONG = apply_fill(FLAT, "BUY", Decimal(2), Decimal(100), Decimal(0))  # 2 at 100, 800 in quote left
BUY = Action("BUY", 100.0, "RSI oversold: 25.00")
SELL = Action("SELL", 100.0, "RSI overbought: 75.00")
HOLD = Action("HOLD", 100.0, "RSI neutral: 50.00")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRESH = RiskState.start(CAPITAL)


def decided(
    action: Action | None = BUY, holding: Holding = FLAT, price: str = "100", **overrides: Any
) -> Signal:
    settings: dict[str, Any] = {
        "rules": make_rules(),
        "execution": make_execution(),
        "risk": RiskConfig(),
        "allocated_capital": CAPITAL,
        "bid": Decimal(price),
        "ask": Decimal(price),
        "state": FRESH,
        "at": NOON,
    }
    return decide(action=action, holding=holding, **(settings | overrides))


def test_a_hold_passes_through() -> None:
    assert decided(HOLD) == Signal("HOLD", Decimal(0), "RSI neutral: 50.00", "bot", None)


def test_a_percentage_buy_is_of_the_allocated_capital() -> None:
    assert decided() == Signal("BUY", Decimal(1), "RSI oversold: 25.00", "bot", None)
    assert decided(holding=LONG).amount == 1


def test_a_fixed_buy_spends_its_quote_amount() -> None:
    fixed = make_execution(buy_order_type="FIXED", buy_order_value=250)

    assert decided(execution=fixed).amount == Decimal("2.5")


def test_an_all_buy_spends_the_free_balance_and_leaves_the_fee() -> None:
    everything = make_execution(buy_order_type="ALL", buy_order_value=None)

    # 9.990 cost 999.00 and 0.999 fee; one step more would need 1000.1.
    assert decided(execution=everything).amount == Decimal("9.990")


def test_a_buy_is_rounded_down_to_the_step() -> None:
    assert decided(price="33").amount == Decimal("3.030")


def test_a_buy_stops_at_the_largest_position() -> None:
    signal = decided(holding=LONG, risk=make_risk(max_position_size=25))

    assert signal.amount == Decimal("0.5")


def test_a_full_position_is_not_enlarged() -> None:
    signal = decided(holding=LONG, risk=make_risk(max_position_size=20))

    assert (signal.action, signal.amount) == ("HOLD", Decimal(0))
    assert signal.skip is SkipReason.POSITION_LIMIT
    assert signal.reason == (
        "Not bought: the position is as large as the maximum position size allows (bot: RSI oversold: 25.00)"
    )


def test_a_position_that_outgrew_its_limit_is_not_enlarged() -> None:
    assert decided(holding=LONG, price="300", risk=make_risk(max_position_size=20)).skip == "position_limit"


def test_an_empty_purse_buys_nothing() -> None:
    spent = apply_fill(FLAT, "BUY", Decimal("9.95"), Decimal(100), Decimal(0))

    signal = decided(holding=spent)

    assert (signal.action, signal.skip) == ("HOLD", SkipReason.INSUFFICIENT_BALANCE)
    assert signal.reason.startswith(
        "Not bought: too little balance at price 100.00; the market takes orders from"
    )


@pytest.mark.parametrize(
    ("wanted", "rules", "skip"),
    [
        (9.99, make_rules(), SkipReason.BELOW_MINIMUM_COST),
        (50, make_rules(minimum_amount="1"), SkipReason.BELOW_MINIMUM_AMOUNT),
        (0.05, make_rules(minimum_cost="0"), SkipReason.BELOW_MINIMUM_AMOUNT),
    ],
)
def test_a_buy_below_the_markets_minimum_is_skipped(wanted: float, rules: Any, skip: SkipReason) -> None:
    fixed = make_execution(buy_order_type="FIXED", buy_order_value=wanted)

    assert decided(execution=fixed, rules=rules).skip is skip


def test_selling_without_a_position_is_skipped() -> None:
    assert decided(SELL) == Signal(
        "HOLD",
        Decimal(0),
        "Not sold: there is no position to sell (bot: RSI overbought: 75.00)",
        "bot",
        SkipReason.NO_POSITION,
    )


def test_a_sell_takes_the_whole_position() -> None:
    assert decided(SELL, LONG) == Signal("SELL", Decimal(2), "RSI overbought: 75.00", "bot", None)


def test_a_percentage_sell_is_of_the_position() -> None:
    third = make_execution(sell_order_type="PERCENTAGE", sell_order_value=33.33)

    assert decided(SELL, LONG, execution=third).amount == Decimal("0.666")


def test_a_sell_below_the_markets_minimum_is_skipped() -> None:
    assert decided(SELL, LONG, price="4").skip is SkipReason.BELOW_MINIMUM_COST


@pytest.mark.parametrize(("price", "source"), [("95.01", "bot"), ("95", "stop_loss"), ("94.80", "stop_loss")])
def test_a_stop_loss_sells_all_from_its_price_down(price: str, source: str) -> None:
    assert decided(BUY, LONG, price, risk=make_risk(stop_loss_percent=5)).source == source


@pytest.mark.parametrize(
    ("price", "source"), [("109.99", "bot"), ("110", "take_profit"), ("150", "take_profit")]
)
def test_a_take_profit_sells_all_from_its_price_up(price: str, source: str) -> None:
    assert decided(BUY, LONG, price, risk=make_risk(take_profit_percent=10)).source == source


def test_a_stop_explains_itself_in_words() -> None:
    holding = apply_fill(FLAT, "BUY", Decimal(2), Decimal("100.1"), Decimal("0.2"))

    loss = decided(BUY, holding, "95", risk=make_risk(stop_loss_percent=5))
    profit = decided(BUY, holding, "120.24", risk=make_risk(take_profit_percent=20))

    assert loss == Signal(
        "SELL",
        Decimal(2),
        "Stop loss: price 95.00 is 5.2 % below the average entry 100.20",
        "stop_loss",
        None,
    )
    assert profit.reason == "Take profit: price 120.24 is 20.0 % above the average entry 100.20"


def test_stops_need_a_position() -> None:
    assert decided(HOLD, FLAT, "1", risk=make_risk(stop_loss_percent=5)).source == "bot"


def test_a_failed_bot_trades_nothing() -> None:
    assert decided(None) == Signal(
        "HOLD", Decimal(0), "The bot failed, so nothing was traded.", "bot", SkipReason.BOT_FAILED
    )


def test_a_failed_bots_position_is_still_protected() -> None:
    signal = decided(None, LONG, "90", risk=make_risk(stop_loss_percent=5))

    assert (signal.action, signal.amount, signal.source) == ("SELL", Decimal(2), "stop_loss")
    assert signal.skip is None


def test_dust_that_no_order_can_sell_does_not_block_the_bot() -> None:
    dust = apply_fill(FLAT, "BUY", Decimal("0.05"), Decimal(100), Decimal(0))

    assert decided(BUY, dust, "90", risk=make_risk(stop_loss_percent=5)).action == "BUY"


def test_a_balance_that_pays_exactly_is_spent_exactly() -> None:
    rules = make_rules(amount_step="1")

    assert affordable_amount(quote_balance=Decimal("100.1"), price=Decimal(100), rules=rules) == 1
    assert affordable_amount(quote_balance=Decimal("100.09"), price=Decimal(100), rules=rules) == 0
    assert affordable_amount(quote_balance=Decimal(0), price=Decimal(100), rules=rules) == 0


def test_a_fee_that_is_rounded_up_is_still_affordable() -> None:
    rules = make_rules(amount_step="0.00000001")

    # 109 steps cost 0.0000000109 and leave nothing for the smallest fee, 0.00000001; 9 steps leave enough.
    amount = affordable_amount(quote_balance=Decimal("0.000000011"), price=Decimal("0.01"), rules=rules)

    assert amount == Decimal("0.00000009")


def hundredths(lowest: int, highest: int) -> st.SearchStrategy[Decimal]:
    return st.integers(lowest, highest).map(lambda count: Decimal(count).scaleb(-2))


executions = st.one_of(
    st.builds(lambda value: make_execution(buy_order_value=value), hundredths(1, 10_000)),
    st.builds(
        lambda offset: make_execution(order_type="LIMIT", limit_offset_percent=offset), hundredths(0, 1000)
    ),
    st.builds(
        lambda value: make_execution(buy_order_type="FIXED", buy_order_value=value), hundredths(1, 10**9)
    ),
    st.just(make_execution(buy_order_type="ALL", buy_order_value=None)),
)
markets = st.builds(
    make_rules,
    amount_step=st.sampled_from(["1", "0.25", "0.001", "0.00000001"]),
    minimum_cost=st.sampled_from(["0", "10"]),
    minimum_amount=st.sampled_from(["0", "0.01"]),
    taker_fee_fraction=st.sampled_from(["0", "0.001", "0.0026", "0.1"]),
)


@given(
    capital=hundredths(1, 10**8),
    first_price=hundredths(1, 10**7),
    price=hundredths(1, 10**7),
    rules=markets,
    execution=executions,
    limit=st.one_of(st.none(), hundredths(1, 10_000)),
)
def test_no_buy_breaks_a_limit(
    *,
    capital: Decimal,
    first_price: Decimal,
    price: Decimal,
    rules: Any,
    execution: ExecutionConfig,
    limit: Decimal | None,
) -> None:
    holding = Holding.start(capital)
    affordable = affordable_amount(quote_balance=capital / 2, price=first_price, rules=rules)
    if affordable:
        fill = fill_market_order("BUY", affordable, first_price, first_price, rules)
        holding = apply_fill(holding, "BUY", fill.amount, fill.price, fill.fee)

    signal = decided(
        holding=holding,
        price=str(price),
        rules=rules,
        execution=execution,
        risk=RiskConfig(max_position_size=limit),
        allocated_capital=capital,
    )
    assume(signal.action == "BUY")

    price = signal.limit_price or price
    with exact():
        fill = fill_market_order("BUY", signal.amount, price, price, rules)
        assert fill.cost + fill.fee <= holding.quote_balance
        assert limit is None or (holding.base_amount + signal.amount) * price * 100 <= capital * limit
        assert signal.amount % rules.amount_step == 0
        assert rules.problem_with(signal.amount, price) is None


@given(balance=hundredths(0, 10**8), price=hundredths(1, 10**7), rules=markets)
def test_one_step_more_is_never_affordable(balance: Decimal, price: Decimal, rules: Any) -> None:
    amount = affordable_amount(quote_balance=balance, price=price, rules=rules)

    with exact():
        # Besides the part of an amount step that is left over, rounding the fee up costs up to a fee step.
        left = balance - cost_of(amount, price) * (1 + rules.taker_fee_fraction)
        one_more = cost_of(rules.amount_step, price) * (1 + rules.taker_fee_fraction) + FEE_STEP
        assert left < one_more


def test_a_bot_that_wants_to_buy_does_not_lift_its_stop_over_the_spread() -> None:
    stop: dict[str, Any] = {"risk": make_risk(stop_loss_percent=5), "bid": Decimal(95), "ask": Decimal(96)}

    signal = decided(BUY, LONG, **stop)

    assert (signal.action, signal.source) == ("SELL", "stop_loss")


def test_a_buy_is_sized_at_the_ask_and_a_sale_at_the_bid() -> None:
    spread: dict[str, Any] = {"bid": Decimal(50), "ask": Decimal(100)}

    assert decided(BUY, **spread).amount == 1
    assert decided(SELL, LONG, **spread | {"bid": Decimal(4)}).skip is SkipReason.BELOW_MINIMUM_COST


@pytest.mark.parametrize(
    ("price", "source"), [("108.01", "bot"), ("108", "trailing_stop"), ("101", "trailing_stop")]
)
def test_a_trailing_stop_sells_all_from_its_distance_below_the_peak(price: str, source: str) -> None:
    risen = replace(FRESH, peak_price=Decimal(120))

    assert decided(BUY, LONG, price, state=risen, risk=make_risk(trailing_stop_percent=10)).source == source


def test_a_trailing_stop_explains_itself_in_words() -> None:
    risen = replace(FRESH, peak_price=Decimal(120))

    assert decided(BUY, LONG, "105", state=risen, risk=make_risk(trailing_stop_percent=10)) == Signal(
        "SELL",
        Decimal(2),
        "Trailing stop: price 105.00 is 12.5 % below the highest since the position was opened, 120.00",
        "trailing_stop",
    )


def test_a_trailing_stop_needs_a_position_and_a_peak() -> None:
    risk = make_risk(trailing_stop_percent=10)

    assert decided(HOLD, FLAT, "1", risk=risk).source == "bot"
    assert decided(HOLD, LONG, "1", risk=risk).source == "bot"


def test_of_several_exits_the_stop_loss_comes_first_and_the_drawdown_last() -> None:
    fallen = replace(FRESH, peak_price=Decimal(200), is_halted=True)
    limits = {"stop_loss_percent": 5.0, "trailing_stop_percent": 5.0, "take_profit_percent": 5.0}

    def source(price: str, *names: str) -> str:
        risk = make_risk(**{name: limits[name] for name in names})
        return decided(BUY, LONG, price, state=fallen, risk=risk).source

    assert source("90", "stop_loss_percent", "trailing_stop_percent") == "stop_loss"
    assert source("110", "trailing_stop_percent", "take_profit_percent") == "trailing_stop"
    assert source("110", "take_profit_percent") == "take_profit"
    assert source("110") == "max_drawdown"


def test_a_halt_sells_the_position_even_when_the_bot_failed() -> None:
    halted = replace(FRESH, peak_equity=Decimal(1100), is_halted=True)

    assert decided(None, LONG, "90", state=halted) == Signal(
        "SELL", Decimal(2), "Drawdown limit reached: equity 980.00 after a highest of 1100.00", "max_drawdown"
    )


def test_a_halt_without_a_position_buys_nothing_and_says_why() -> None:
    signal = decided(state=replace(FRESH, is_halted=True))

    assert (signal.action, signal.skip) == ("HOLD", SkipReason.DRAWDOWN_HALT)
    assert signal.reason == (
        "Not bought: trading is halted, because the drawdown limit was reached (bot: RSI oversold: 25.00)"
    )


@pytest.mark.parametrize(
    ("price", "skip"), [("75.01", None), ("75", "daily_loss_limit"), ("60", "daily_loss_limit")]
)
def test_a_day_that_lost_its_limit_buys_no_more(price: str, skip: str | None) -> None:
    # The two held lost 25 each: 5 % of the capital of 1000.
    assert decided(BUY, LONG, price, risk=make_risk(max_daily_loss_percent=5)).skip == skip


def test_the_days_loss_counts_from_the_days_first_look() -> None:
    started = replace(FRESH, day_start_equity=Decimal(950))

    assert decided(BUY, LONG, "75", state=started, risk=make_risk(max_daily_loss_percent=5)).action == "BUY"


@pytest.mark.parametrize(
    ("minutes", "skip"), [(0, "cool_down"), (29, "cool_down"), (30, None), (-1, "cool_down")]
)
def test_nothing_is_bought_in_the_cool_down_after_a_loss(minutes: int, skip: str | None) -> None:
    lost = replace(FRESH, last_loss_at=NOON - timedelta(minutes=minutes))

    assert decided(state=lost, risk=make_risk(cool_down_minutes=30)).skip == skip
    assert decided(state=lost).action == "BUY"


@pytest.mark.parametrize(("orders", "skip"), [(2, None), (3, "orders_per_day"), (4, "orders_per_day")])
def test_as_many_orders_as_allowed_end_the_days_buying(orders: int, skip: str | None) -> None:
    busy = replace(FRESH, orders_today=orders)

    assert decided(state=busy, risk=make_risk(max_orders_per_day=3)).skip == skip


def test_of_several_blocks_the_first_is_named() -> None:
    risk = make_risk(max_daily_loss_percent=5, cool_down_minutes=30, max_orders_per_day=1)
    worst = RiskState(None, CAPITAL, NOON.date(), Decimal(2000), 1, NOON, is_halted=True)

    states = [
        worst,
        worst := replace(worst, is_halted=False),
        worst := replace(worst, day_start_equity=CAPITAL),
        replace(worst, last_loss_at=None),
    ]

    assert [decided(state=state, risk=risk).skip for state in states] == [
        "drawdown_halt",
        "daily_loss_limit",
        "cool_down",
        "orders_per_day",
    ]


def test_the_bots_sale_is_never_blocked() -> None:
    risk = make_risk(max_daily_loss_percent=5, cool_down_minutes=30, max_orders_per_day=1)
    blocked = RiskState(None, CAPITAL, NOON.date(), Decimal(2000), 9, NOON, is_halted=False)

    assert decided(SELL, LONG, state=blocked, risk=risk).action == "SELL"


def limited(**settings: Any) -> ExecutionConfig:
    return make_execution(order_type="LIMIT", **settings)


SPREAD: dict[str, Any] = {"bid": Decimal("99.97"), "ask": Decimal("100.03")}


def test_a_limit_order_waits_on_its_own_side_of_the_spread() -> None:
    assert decided(BUY, execution=limited(), **SPREAD).limit_price == Decimal("99.97")
    assert decided(SELL, LONG, execution=limited(), **SPREAD).limit_price == Decimal("100.03")


def test_a_limit_price_is_rounded_away_from_the_market() -> None:
    half_percent = limited(limit_offset_percent=0.5)

    # 99.97 less 0.5 % is 99.47015, 100.03 and 0.5 % more 100.53015.
    assert decided(BUY, execution=half_percent, **SPREAD).limit_price == Decimal("99.47")
    assert decided(SELL, LONG, execution=half_percent, **SPREAD).limit_price == Decimal("100.54")


def test_a_limit_buy_is_sized_at_its_price() -> None:
    tenth_off = limited(limit_offset_percent=10, buy_order_type="FIXED", buy_order_value=90)

    signal = decided(BUY, execution=tenth_off, bid=Decimal(100), ask=Decimal(110))

    assert (signal.limit_price, signal.amount) == (Decimal(90), Decimal(1))


def test_a_limit_sale_is_judged_at_its_price() -> None:
    cheap: dict[str, Any] = {"bid": Decimal("4.5"), "ask": Decimal(5)}

    assert decided(SELL, LONG, execution=limited(), **cheap).amount == 2
    assert decided(SELL, LONG, **cheap).skip is SkipReason.BELOW_MINIMUM_COST


def test_a_protective_exit_is_always_a_market_order() -> None:
    signal = decided(BUY, LONG, "90", execution=limited(), risk=make_risk(stop_loss_percent=5))

    assert (signal.source, signal.limit_price) == ("stop_loss", None)


def test_a_market_order_has_no_limit_price() -> None:
    assert decided(BUY).limit_price is decided(SELL, LONG).limit_price is decided(HOLD).limit_price is None


def test_between_candles_the_exits_are_those_of_a_decision() -> None:
    risk = make_risk(trailing_stop_percent=10)
    state = FRESH.seen(at=NOON, bid=Decimal(120), holding=LONG, risk=risk)

    def exit_at(bid: str) -> Signal | None:
        return protective_exit(holding=LONG, bid=Decimal(bid), rules=make_rules(), risk=risk, state=state)

    assert exit_at("108.01") is None
    assert exit_at("108") == decided(HOLD, LONG, "108", state=state, risk=risk)


@given(
    price=hundredths(1, 10**7),
    execution=executions,
    limit=st.one_of(st.none(), hundredths(1, 10_000)),
    action=st.sampled_from([BUY, SELL, HOLD, None]),
    holding=st.sampled_from([FLAT, LONG]),
)
def test_nothing_is_bought_while_trading_is_halted(
    *,
    price: Decimal,
    execution: ExecutionConfig,
    limit: Decimal | None,
    action: Action | None,
    holding: Holding,
) -> None:
    halted = replace(FRESH, is_halted=True)

    signal = decided(
        action,
        holding,
        str(price),
        execution=execution,
        risk=RiskConfig(stop_loss_percent=limit),
        state=halted,
    )

    assert signal.action != "BUY"
    assert signal.action == "SELL" or holding is FLAT or price < 5  # less than the smallest order of 10


@given(
    bid=hundredths(1, 10**7),
    spread=hundredths(0, 10**5),
    offset=hundredths(0, 1000),
    tick=st.sampled_from(["0.01", "0.05", "1", "0.00000001"]),
)
def test_a_limit_price_is_a_tick_on_the_far_side_of_its_distance(
    bid: Decimal, spread: Decimal, offset: Decimal, tick: str
) -> None:
    rules = make_rules(price_tick=tick, minimum_cost="0", minimum_amount="0", amount_step="0.00000001")
    execution = limited(limit_offset_percent=offset, buy_order_type="ALL", buy_order_value=None)
    market: dict[str, Any] = {"bid": bid, "ask": bid + spread, "rules": rules, "execution": execution}

    buy, sell = decided(BUY, **market).limit_price, decided(SELL, LONG, **market).limit_price

    assert buy is not None and sell is not None
    assert buy % Decimal(tick) == sell % Decimal(tick) == 0
    assert buy * 100 <= max(bid * (100 - offset), Decimal(tick) * 100) < (buy + Decimal(tick)) * 100
    assert (sell - Decimal(tick)) * 100 < (bid + spread) * (100 + offset) <= sell * 100
