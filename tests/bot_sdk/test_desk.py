"""What happens inside candles, in prices small enough to follow by hand. Nothing costs a fee here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_sdk import Action
from bot_sdk.backtest import Backtest, Setup
from bot_sdk.configs import RiskConfig
from bot_sdk.desk import Desk, FillAt, Terms
from bot_sdk.history import Bar, History
from tests.bot_sdk.samples import candles_of, make_execution, make_risk, make_rules

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
ALL = {"buy_order_type": "ALL", "buy_order_value": None}

Prices = tuple[float, float, float, float]


def make_bar(prices: Prices, opened_at: datetime = MIDNIGHT, lasts: timedelta = HOUR) -> Bar:
    return Bar(opened_at, opened_at + lasts, *(Decimal(str(price)) for price in prices))


def make_desk(**overrides: Any) -> Desk:
    terms: dict[str, Any] = {
        "capital": Decimal(1000),
        "rules": make_rules(taker_fee_fraction="0"),
        "execution": make_execution(),
        "risk": make_risk(),
        "fill_at": FillAt.CLOSE,
    }
    return Desk(Terms(**(terms | overrides)))


def traded(
    candles: Sequence[Prices],
    says: Mapping[int, str],
    *,
    begins_at: datetime = MIDNIGHT,
    details: Mapping[int, Sequence[Prices]] | None = None,
    **overrides: Any,
) -> Desk:
    """Return a desk that passed hourly candles of open, high, low, close; `says` maps a candle to a wish."""
    desk = make_desk(**overrides)
    for number, prices in enumerate(candles):
        bar = make_bar(prices, begins_at + number * HOUR)
        parts = (details or {}).get(number, ())
        lasts = HOUR / max(len(parts), 1)
        within = [make_bar(part, bar.opened_at + place * lasts, lasts) for place, part in enumerate(parts)]
        desk.pass_candle(bar, within)
        if number in says:
            desk.answer(Action(says[number], float(bar.close)), bar.closed_at, bar.close)
    return desk


def fills_of(desk: Desk) -> list[tuple[str, Decimal, str]]:
    return [(fill.side, fill.price, fill.source) for fill in desk.fills]


FLAT: Prices = (100, 100, 100, 100)
BOUGHT = ("BUY", Decimal(100), "bot")


@pytest.mark.parametrize(
    ("risk", "candle", "price", "source"),
    [
        ({"stop_loss_percent": 5}, (100, 101, 95, 101), 95, "stop_loss"),
        ({"stop_loss_percent": 5}, (94, 96, 90, 96), 94, "stop_loss"),
        ({"take_profit_percent": 10}, (100, 110, 99, 100), 110, "take_profit"),
        ({"take_profit_percent": 10}, (120, 130, 90, 90), 120, "take_profit"),
        ({"stop_loss_percent": 5, "take_profit_percent": 10}, (100, 120, 90, 115), 95, "stop_loss"),
        ({"trailing_stop_percent": 10}, (100, 110, 99.5, 98), 99, "trailing_stop"),
        ({"trailing_stop_percent": 10, "stop_loss_percent": 5}, (100, 110, 96, 94), 99, "trailing_stop"),
        ({"trailing_stop_percent": 10, "take_profit_percent": 20}, (100, 120, 99, 100), 120, "take_profit"),
        ({"max_drawdown_percent": 2}, (100, 100, 75, 90), 80, "max_drawdown"),
        ({"max_drawdown_percent": 1, "stop_loss_percent": 20}, (100, 100, 70, 90), 90, "max_drawdown"),
    ],
)
def test_an_exit_sells_at_its_own_price_or_at_an_open_beyond_it(
    risk: dict[str, float], candle: Prices, price: int, source: str
) -> None:
    """Of 1000 in quote a tenth buys 1 at 100, so that 2 % of the equity are 20 in its price."""
    desk = traded([FLAT, candle], {0: "BUY"}, risk=make_risk(**risk))

    assert fills_of(desk) == [BOUGHT, ("SELL", price, source)]
    assert desk.holding.base_amount == 0


@pytest.mark.parametrize(
    ("risk", "candle"),
    [
        ({"stop_loss_percent": 5}, (100, 101, 95.01, 101)),
        ({"take_profit_percent": 10}, (100, 109.99, 99, 100)),
        ({"trailing_stop_percent": 10}, (100, 110, 91, 99.01)),
        ({"max_drawdown_percent": 2}, (100, 100, 80.01, 90)),
    ],
)
def test_an_exit_is_not_reached_a_tick_before_its_price(risk: dict[str, float], candle: Prices) -> None:
    desk = traded([FLAT, candle], {0: "BUY"}, risk=make_risk(**risk))

    assert fills_of(desk) == [BOUGHT]


def test_an_exit_inside_a_candle_is_dated_to_its_close_and_one_at_the_open_to_that() -> None:
    risk = make_risk(stop_loss_percent=5)

    inside = traded([FLAT, (100, 100, 90, 100)], {0: "BUY"}, risk=risk)
    opening = traded([FLAT, (90, 100, 90, 100)], {0: "BUY"}, risk=risk)

    assert [inside.fills[1].at, opening.fills[1].at] == [MIDNIGHT + 2 * HOUR, MIDNIGHT + HOUR]


def test_smaller_candles_tell_which_came_first() -> None:
    risk = make_risk(stop_loss_percent=5, take_profit_percent=10)
    candle = (100, 120, 90, 95)

    desk = traded(
        [FLAT, candle], {0: "BUY"}, risk=risk, details={1: [(100, 120, 99, 118), (118, 118, 90, 95)]}
    )

    assert fills_of(desk) == [BOUGHT, ("SELL", 110, "take_profit")]
    assert desk.fills[1].at == MIDNIGHT + 1.5 * HOUR


def test_orders_are_sized_and_filled_at_the_next_open() -> None:
    desk = traded(
        [FLAT, (103, 104, 102, 104), (99, 99, 99, 99)], {0: "BUY", 1: "SELL"}, fill_at=FillAt.NEXT_OPEN
    )

    bought, sold = desk.fills
    assert (bought.price, bought.amount, bought.at) == (103, Decimal("0.970"), MIDNIGHT + HOUR)
    assert (sold.price, sold.at) == (99, MIDNIGHT + 2 * HOUR)
    assert [decision.closed_at for decision in desk.decisions] == [MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR]


def test_a_wish_on_the_last_candle_stays_undecided() -> None:
    desk = traded([FLAT], {0: "BUY"}, fill_at=FillAt.NEXT_OPEN)

    assert (desk.fills, desk.decisions, desk.is_waiting) == ([], [], True)


def test_at_the_next_open_a_stop_comes_before_the_bots_wish() -> None:
    risk = make_risk(stop_loss_percent=5)

    desk = traded([FLAT, FLAT, (90, 90, 90, 90)], {0: "BUY", 1: "BUY"}, risk=risk, fill_at=FillAt.NEXT_OPEN)

    assert fills_of(desk) == [BOUGHT, ("SELL", 90, "stop_loss")]


def test_a_market_order_slips_to_the_worse_side_up_to_a_whole_tick() -> None:
    candles = [FLAT, (100.01, 100.01, 100.01, 100.01)]

    desk = traded(candles, {0: "BUY", 1: "SELL"}, slippage_percent=Decimal("0.5"))

    # 100.01 less 0.5 % is 99.50995.
    assert [fill.price for fill in desk.fills] == [Decimal("100.5"), Decimal("99.5")]
    assert [fill.decided_price for fill in desk.fills] == [100, Decimal("100.01")]
    assert desk.fills[0].amount == Decimal("0.995")  # 100 in quote pay for so much at 100.50


def test_all_of_the_balance_pays_for_what_slips() -> None:
    desk = traded([FLAT], {0: "BUY"}, slippage_percent=Decimal(1), execution=make_execution(**ALL))

    assert desk.fills[0].amount == Decimal("9.900")  # 1000 at 101
    assert desk.holding.quote_balance == Decimal("0.1")


def test_an_exit_slips_and_a_limit_order_does_not() -> None:
    limited = make_execution(order_type="LIMIT", limit_offset_percent=1, limit_timeout_seconds=7200)
    risk = make_risk(stop_loss_percent=10)

    desk = traded(
        [FLAT, (100, 100, 98, 98), (98, 98, 85, 98)],
        {0: "BUY"},
        slippage_percent=Decimal(1),
        execution=limited,
        risk=risk,
    )

    # 99 less 10 % is 89.10, less 1 % is 88.209.
    assert [fill.price for fill in desk.fills] == [99, Decimal("88.2")]


def limit_orders(**settings: Any) -> Any:
    defaults = {"order_type": "LIMIT", "limit_offset_percent": 5, "limit_timeout_seconds": 86_400}
    return make_execution(**(defaults | settings))


def test_on_the_way_down_a_waiting_buy_above_the_stop_is_filled_first() -> None:
    risk = make_risk(stop_loss_percent=20)

    desk = traded([FLAT, (100, 100, 70, 80)], {0: "BUY"}, execution=limit_orders(), risk=risk)

    assert fills_of(desk) == [("BUY", 95, "bot"), ("SELL", 76, "stop_loss")]


def test_on_the_way_down_a_stop_above_a_waiting_buy_cancels_it() -> None:
    # Bought at 95; the next order then waits at 90.25, below the stop at 93.10.
    candles: list[Prices] = [FLAT, (100, 100, 94, 95), (95, 95, 70, 70)]

    desk = traded(
        candles, {0: "BUY", 1: "BUY"}, execution=limit_orders(), risk=make_risk(stop_loss_percent=2)
    )

    assert fills_of(desk) == [("BUY", 95, "bot"), ("SELL", Decimal("93.1"), "stop_loss")]
    assert not desk.is_waiting


def test_on_the_way_up_the_lower_of_target_and_waiting_sale_sells() -> None:
    execution = limit_orders()
    candles: list[Prices] = [FLAT, (100, 100, 94, 100), (100, 130, 100, 130)]
    says = {0: "BUY", 1: "SELL"}

    near = traded(candles, says, execution=execution, risk=make_risk(take_profit_percent=10))
    far = traded(candles, says, execution=execution, risk=make_risk(take_profit_percent=20))

    # Bought at 95, so the targets are 104.50 and 114; the sale waits at 105.
    assert fills_of(near)[1:] == [("SELL", Decimal("104.5"), "take_profit")]
    assert fills_of(far)[1:] == [("SELL", 105, "bot")]


def test_a_waiting_buy_is_filled_at_its_own_price_where_a_candle_opens_below_it() -> None:
    desk = traded([FLAT, (90, 92, 90, 92)], {0: "BUY"}, execution=limit_orders())

    assert fills_of(desk) == [("BUY", 95, "bot")]


def test_dust_is_left_alone_and_hides_no_order_that_waits_below_its_stop() -> None:
    execution = limit_orders(sell_order_type="PERCENTAGE", sell_order_value=95, limit_offset_percent=10)
    rules = make_rules(taker_fee_fraction="0", amount_step="0.001", minimum_cost="10")
    risk = make_risk(stop_loss_percent=2)
    # 5 % of what was bought at 90 are left at 99, worth less than an order's 10 in quote; the stop is 88.20.
    candles: list[Prices] = [
        FLAT,
        (100, 100, 89, 89),
        (90, 91, 90, 90),
        (90, 100, 90, 100),
        (100, 100, 97, 97),
        (97, 97, 80, 90),
    ]

    desk = traded(candles, {0: "BUY", 2: "SELL", 4: "BUY"}, execution=execution, rules=rules, risk=risk)

    assert fills_of(desk)[:3] == [("BUY", 90, "bot"), ("SELL", 99, "bot"), ("BUY", Decimal("87.3"), "bot")]


def test_a_drawdown_ends_all_buying() -> None:
    candles: list[Prices] = [FLAT, (100, 100, 75, 90), FLAT]

    desk = traded(
        candles,
        {0: "BUY", 2: "BUY"},
        execution=make_execution(**ALL),
        risk=make_risk(max_drawdown_percent=20),
    )

    assert fills_of(desk) == [BOUGHT, ("SELL", 80, "max_drawdown")]
    assert desk.decisions[-1].signal.skip == "drawdown_halt"


def test_a_high_inside_a_candle_is_a_highest_equity() -> None:
    candles: list[Prices] = [FLAT, (100, 125, 100, 120), (120, 120, 99, 110)]

    desk = traded(
        candles, {0: "BUY"}, execution=make_execution(**ALL), risk=make_risk(max_drawdown_percent=20)
    )

    assert fills_of(desk)[1] == ("SELL", 100, "max_drawdown")


def test_the_days_loss_is_measured_from_its_first_look_and_forgotten_at_midnight() -> None:
    # Candles of 22, 23, 0 and 1 o'clock. What the low before midnight shows still belongs to the day before.
    candles: list[Prices] = [FLAT, (100, 100, 85, 94), (94, 94, 94, 94), (94, 94, 88, 88)]
    says = {0: "BUY", 1: "BUY", 2: "BUY", 3: "BUY"}
    risk = make_risk(max_daily_loss_percent=2)
    execution = make_execution(buy_order_type="PERCENTAGE", buy_order_value=40)

    desk = traded(candles, says, begins_at=MIDNIGHT - 2 * HOUR, execution=execution, risk=risk)

    # 4 held: 24 below the start at 94, which is the new day's start; then 6.6 held or less, 6 lower.
    assert [decision.signal.skip for decision in desk.decisions] == [None, None, None, "daily_loss_limit"]


def test_the_days_loss_holds_until_midnight() -> None:
    candles: list[Prices] = [FLAT, (100, 100, 94, 94), (94, 94, 94, 94)]
    says = {0: "BUY", 1: "BUY", 2: "BUY"}
    execution = make_execution(buy_order_type="PERCENTAGE", buy_order_value=40)

    desk = traded(
        candles,
        says,
        begins_at=MIDNIGHT - 4 * HOUR,
        execution=execution,
        risk=make_risk(max_daily_loss_percent=2),
    )

    skips = [decision.signal.skip for decision in desk.decisions]
    assert skips == [None, "daily_loss_limit", "daily_loss_limit"]


def test_a_cool_down_begins_when_the_stops_candle_closes() -> None:
    candles: list[Prices] = [FLAT, (100, 100, 90, 90), *[(90, 90, 90, 90)] * 3]
    says = {0: "BUY", 2: "BUY", 3: "BUY"}

    desk = traded(candles, says, risk=make_risk(stop_loss_percent=5, cool_down_minutes=120))

    # Sold by 2:00, so until 4:00.
    assert [decision.signal.skip for decision in desk.decisions] == [None, "cool_down", None]


cents = st.integers(1, 400)
percents = st.none() | st.integers(1, 8).map(Decimal)
risks = st.builds(
    RiskConfig,
    stop_loss_percent=percents,
    trailing_stop_percent=percents,
    take_profit_percent=percents,
    max_drawdown_percent=percents,
    max_daily_loss_percent=percents,
    cool_down_minutes=st.none() | st.just(90),
    max_orders_per_day=st.none() | st.just(3),
)
# A candle: from the close before to its open, how far down and up from there, and its place between.
moves = st.tuples(st.integers(-300, 300), cents, cents, st.integers(0, 4))


@settings(deadline=None, max_examples=150)
@given(
    moves=st.lists(moves, min_size=2, max_size=40),
    wishes=st.lists(st.sampled_from(["BUY", "SELL", "HOLD", "HOLD", "HOLD"]), min_size=40, max_size=40),
    risk=risks,
    execution=st.sampled_from([make_execution(buy_order_value=40), make_execution(**ALL), limit_orders()]),
    fill_at=st.sampled_from(list(FillAt)),
    has_detail=st.booleans(),
)
def test_to_pass_over_calm_candles_changes_nothing(  # noqa: PLR0917  Hypothesis passes by name
    moves: list[tuple[int, int, int, int]],
    wishes: list[str],
    risk: RiskConfig,
    execution: Any,
    fill_at: FillAt,
    has_detail: bool,
) -> None:
    close, candles = 10_000, []
    for gap, down, up, place in moves:
        opens = max(close + gap, 1000)
        close = opens - down + (up + down) * place // 4
        candles.append((opens / 100, (opens + up) / 100, (opens - down) / 100, close / 100))
    columns = dict(zip(["open", "high", "low", "close"], map(list, zip(*candles, strict=True)), strict=True))
    frame = candles_of(columns["close"]).assign(**columns)
    detail = (
        frame.set_axis(pd.DatetimeIndex(frame.index) - HOUR / 2).iloc[1:]
        if has_detail and len(frame) > 2
        else None
    )
    history = History(frame, "1h", detail=detail)
    rules = make_rules(minimum_cost="60")
    terms = Terms(Decimal(1000), rules, execution, risk, fill_at, slippage_percent=Decimal("0.1"))
    exact = Desk(terms)
    quick = Backtest(history, Setup("BINANCE", "BTC/USDT", "1h", terms, {}))

    for row, wish in zip(range(len(history)), wishes, strict=False):
        action = Action(wish, 1.0)
        if row:
            exact.pass_candle(history.bar(row), history.bars_within(row))
        if wish != "HOLD":
            exact.answer(action, history.closed_at(row), history.close(row))
        quick.act(action)
        quick.advance()

    assert quick.desk.fills == exact.fills
    assert quick.desk.decisions == exact.decisions
    assert quick.desk.holding == exact.holding


def test_an_order_whose_time_ended_in_a_hole_is_not_filled_after_it() -> None:
    execution = make_execution(order_type="LIMIT", limit_offset_percent=1, limit_timeout_seconds=60)
    desk = traded([FLAT], {0: "BUY"}, execution=execution)

    desk.pass_candle(make_bar((100, 100, 90, 95), MIDNIGHT + 10 * HOUR))

    assert fills_of(desk) == []


def test_prices_below_todays_tick_are_not_sold_above_and_still_stop() -> None:
    rules = make_rules(taker_fee_fraction="0", minimum_cost="0")
    cheap: Prices = (0.008, 0.008, 0.008, 0.008)
    falling: Prices = (0.008, 0.008, 0.003, 0.003)

    sold = traded([cheap, cheap], {0: "BUY", 1: "SELL"}, rules=rules, slippage_percent=Decimal("0.05"))
    stopped = traded([cheap, falling], {0: "BUY"}, rules=rules, risk=make_risk(stop_loss_percent=10))

    assert sold.fills[1].price <= Decimal("0.008")
    assert fills_of(stopped)[1:] == [("SELL", Decimal("0.003"), "stop_loss")]


def test_a_position_too_small_to_sell_at_an_open_below_its_stop_is_not_sold_at_the_stop() -> None:
    execution = make_execution(buy_order_type="FIXED", buy_order_value=10.5)

    desk = traded(
        [FLAT, (94, 94, 93, 94)], {0: "BUY"}, execution=execution, risk=make_risk(stop_loss_percent=4)
    )

    assert fills_of(desk) == [BOUGHT]  # 0.105 brought 10 in quote, the least that is taken, down to 95.24
