"""From what a bot wants to what the platform does: protective stops, sizing, limits.

Everything here is arithmetic on what it is given; prices are in quote per base, amounts in base. What the
rules need of the past comes as a `RiskState` that has `seen` the same moment.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from bot_sdk.action import BUY, HOLD, SELL, Action
from bot_sdk.configs import FIXED, LIMIT, ExecutionConfig, RiskConfig
from bot_sdk.ledger import ZERO, Holding
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import FEE_STEP, cost_of, exact, fee_on, reaches
from bot_sdk.risk_state import RiskState
from bot_sdk.skip_reasons import SkipReason

__all__ = ["Signal", "SkipReason", "affordable_amount", "buying_block", "decide", "protective_exit"]

BOT = "bot"
STOP_LOSS = "stop_loss"
TRAILING_STOP = "trailing_stop"
TAKE_PROFIT = "take_profit"
MAX_DRAWDOWN = "max_drawdown"

_EXPLANATIONS = {
    SkipReason.NO_POSITION: "there is no position to sell",
    SkipReason.POSITION_LIMIT: "the position is as large as the maximum position size allows",
    SkipReason.DRAWDOWN_HALT: "trading is halted, because the drawdown limit was reached",
    SkipReason.DAILY_LOSS_LIMIT: "today's loss has reached its limit",
    SkipReason.COOL_DOWN: "the last sale was at a loss, and the pause after it is not over",
    SkipReason.ORDERS_PER_DAY: "today's orders have reached their limit",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """What the platform will act on.

    `action` is "BUY" or "SELL" with an `amount` in base that the market accepts, or "HOLD" with amount zero.
    `source` is "bot", or the protective rule "stop_loss", "trailing_stop", "take_profit" or "max_drawdown".
    `skip` says why a wanted order was not possible; the action is then "HOLD" and `reason` says in words what
    was wanted. `limit_price` is a multiple of the market's price tick, None for a market order.
    """

    action: str
    amount: Decimal
    reason: str
    source: str
    skip: SkipReason | None = None
    limit_price: Decimal | None = None


def decide(
    *,
    action: Action | None,
    holding: Holding,
    bid: Decimal,
    ask: Decimal,
    rules: MarketRules,
    execution: ExecutionConfig,
    risk: RiskConfig,
    allocated_capital: Decimal,
    state: RiskState,
    at: datetime,
) -> Signal:
    """Return the signal for one candle. `action` is None when the bot failed.

    `state` has seen this moment, the aware `at`. Selling is judged at `bid`, what one unit of base brings
    now, and buying at `ask`, what it costs. In this order, the first that applies:

    1. A protective exit (`protective_exit`): SELL all.
    2. The bot failed: HOLD, skipped as bot_failed.
    3. The bot's HOLD.
    4. The bot's SELL, of the position or a percentage of it, rounded down to the market's step.
    5. The bot's BUY, skipped while something forbids buying (`buying_block`).
    6. The bot's BUY: a PERCENTAGE of `allocated_capital`, a FIXED quote amount or ALL of the free balance,
       cut to `max_position_size` and to what the free balance pays for with the fee, rounded down.

    The bot's orders have a limit price when `execution` says so, and are then sized at that price.
    """
    protection = protective_exit(holding=holding, bid=bid, rules=rules, risk=risk, state=state)
    if protection:
        return protection
    if action is None:
        return Signal(HOLD, ZERO, "The bot failed, so nothing was traded.", BOT, SkipReason.BOT_FAILED)
    if action.action == SELL:
        limit_price = _limit_price(SELL, ask, rules, execution)
        return _sell(action, holding, bid, rules, limit_price=limit_price, percent=execution.sell_order_value)
    if action.action == BUY:
        block = buying_block(
            holding=holding, bid=bid, risk=risk, allocated_capital=allocated_capital, state=state, at=at
        )
        if block:
            return _skipped(action, block, ask, rules)
        return _buy(
            action=action,
            holding=holding,
            ask=ask,
            limit_price=_limit_price(BUY, bid, rules, execution),
            rules=rules,
            execution=execution,
            risk=risk,
            allocated_capital=allocated_capital,
        )
    return Signal(HOLD, ZERO, action.reason, BOT)


def protective_exit(
    *, holding: Holding, bid: Decimal, rules: MarketRules, risk: RiskConfig, state: RiskState
) -> Signal | None:
    """Return the market order that sells all at `bid`, or None when no rule asks for it.

    `state` has seen this bid. In this order, the first that applies to a position:

    1. Stop loss: `bid` at or below its average entry price less the limit.
    2. Trailing stop: `bid` at or below the highest since the position was opened less the limit.
    3. Take profit: `bid` at or above its average entry price plus the limit.
    4. Trading is halted by the drawdown limit.

    A position too small for the market to accept as an order is passed over, because the bot could otherwise
    never trade again.
    """
    if holding.base_amount == 0 or not (risk.has_exits or state.is_halted):
        return None
    entry, peak = holding.average_entry_price, state.peak_price
    if not entry:
        return None
    amount = rules.orderable(holding.base_amount, bid)
    if not amount:
        return None
    with exact():
        gain = bid - entry
        fall = peak - bid if peak else ZERO
    if reaches(-gain, risk.stop_loss_percent, entry):
        source, distance = (
            STOP_LOSS,
            f"{_percent(-gain, entry)} below the average entry {_shown(entry, rules)}",
        )
    elif peak and reaches(fall, risk.trailing_stop_percent, peak):
        source = TRAILING_STOP
        highest = f"the highest since the position was opened, {_shown(peak, rules)}"
        distance = f"{_percent(fall, peak)} below {highest}"
    elif reaches(gain, risk.take_profit_percent, entry):
        source, distance = (
            TAKE_PROFIT,
            f"{_percent(gain, entry)} above the average entry {_shown(entry, rules)}",
        )
    elif state.is_halted:
        equities = f"equity {holding.equity(bid):.2f} after a highest of {state.peak_equity:.2f}"
        return Signal(SELL, amount, f"Drawdown limit reached: {equities}", MAX_DRAWDOWN)
    else:
        return None
    rule = source.replace("_", " ").capitalize()
    return Signal(SELL, amount, f"{rule}: price {_shown(bid, rules)} is {distance}", source)


def buying_block(
    *,
    holding: Holding,
    bid: Decimal,
    risk: RiskConfig,
    allocated_capital: Decimal,
    state: RiskState,
    at: datetime,
) -> SkipReason | None:
    """Return why nothing may be bought at the aware moment `at`, which `state` has seen, or None.

    In this order: the drawdown halt; a loss since the day's first look, in equity at `bid` and without what
    was put in or taken out, of the allowed part of `allocated_capital` or more (where that was changed today,
    of what it was before); the cool-down, until the moment it ends; as many orders today as allowed.
    """
    if state.is_halted:
        return SkipReason.DRAWDOWN_HALT
    if risk.max_daily_loss_percent is not None:
        with exact():
            loss_today = state.day_start_equity - holding.equity(bid)
        capital = allocated_capital if state.day_capital is None else state.day_capital
        if reaches(loss_today, risk.max_daily_loss_percent, capital):
            return SkipReason.DAILY_LOSS_LIMIT
    if _is_cooling_down(state, risk, at):
        return SkipReason.COOL_DOWN
    if risk.max_orders_per_day is not None and state.orders_today >= risk.max_orders_per_day:
        return SkipReason.ORDERS_PER_DAY
    return None


def affordable_amount(*, quote_balance: Decimal, price: Decimal, rules: MarketRules) -> Decimal:
    """Return the largest amount, in whole steps, that `quote_balance` pays for with the taker fee."""
    with exact():
        price_with_fee = price * (1 + rules.taker_fee_fraction)
        if quote_balance < price_with_fee * rules.amount_step:
            return ZERO
        amount = rules.round_down(max(quote_balance, ZERO) / price_with_fee)
        cost = cost_of(amount, price)
        if cost + fee_on(cost, rules.taker_fee_fraction) <= quote_balance:
            return amount
        # The fee is rounded up by less than one fee step: setting that step aside always makes it fit.
        return rules.round_down(max(quote_balance - FEE_STEP, ZERO) / price_with_fee)


def _is_cooling_down(state: RiskState, risk: RiskConfig, at: datetime) -> bool:
    if state.last_loss_at is None or risk.cool_down_minutes is None:
        return False
    return at < state.last_loss_at + timedelta(minutes=risk.cool_down_minutes)


def _limit_price(side: str, best: Decimal, rules: MarketRules, execution: ExecutionConfig) -> Decimal | None:
    """Return the price of a LIMIT order, away from `best`: the bid for a BUY, the ask for a SELL."""
    if execution.order_type != LIMIT:
        return None
    offset, tick = execution.limit_offset_percent or ZERO, rules.price_tick
    with exact():
        if side == BUY:
            ticks = (best * (100 - offset) / (100 * tick)).to_integral_value(rounding=ROUND_FLOOR)
            return max(ticks, Decimal(1)) * tick
        return (best * (100 + offset) / (100 * tick)).to_integral_value(rounding=ROUND_CEILING) * tick


def _sell(
    action: Action,
    holding: Holding,
    bid: Decimal,
    rules: MarketRules,
    *,
    limit_price: Decimal | None,
    percent: Decimal | None,
) -> Signal:
    price = limit_price or bid
    if holding.base_amount == 0:
        return _skipped(action, SkipReason.NO_POSITION, price, rules)
    wanted = holding.base_amount
    if percent is not None:
        with exact():
            wanted = holding.base_amount * percent / 100
    amount = rules.round_down(wanted)
    problem = rules.problem_with(amount, price)
    if problem:
        return _skipped(action, problem, price, rules)
    return Signal(SELL, amount, action.reason, BOT, limit_price=limit_price)


def _buy(
    *,
    action: Action,
    holding: Holding,
    ask: Decimal,
    limit_price: Decimal | None,
    rules: MarketRules,
    execution: ExecutionConfig,
    risk: RiskConfig,
    allocated_capital: Decimal,
) -> Signal:
    price = limit_price or ask
    affordable = affordable_amount(quote_balance=holding.quote_balance, price=price, rules=rules)
    limits: list[tuple[Decimal, SkipReason | None]] = [(affordable, SkipReason.INSUFFICIENT_BALANCE)]
    with exact():
        if risk.max_position_size is not None:
            highest = allocated_capital * risk.max_position_size / 100 / price
            limits.append((max(highest - holding.base_amount, ZERO), SkipReason.POSITION_LIMIT))
        if execution.buy_order_value is not None:
            is_fixed = execution.buy_order_type == FIXED
            budget = execution.buy_order_value * (1 if is_fixed else allocated_capital / 100)
            limits.append((budget / price, None))
    lowest, cause = min(limits, key=lambda limit: limit[0])
    amount = rules.round_down(lowest)
    problem = rules.problem_with(amount, price)
    if problem:
        return _skipped(action, cause or problem, price, rules)
    return Signal(BUY, amount, action.reason, BOT, limit_price=limit_price)


def _skipped(action: Action, skip: SkipReason, price: Decimal, rules: MarketRules) -> Signal:
    outcome = "Not bought" if action.action == BUY else "Not sold"
    bot_reason = f" (bot: {action.reason})" if action.reason else ""
    return Signal(HOLD, ZERO, f"{outcome}: {_explained(skip, price, rules)}{bot_reason}", BOT, skip)


def _explained(skip: SkipReason, price: Decimal, rules: MarketRules) -> str:
    if skip == SkipReason.INSUFFICIENT_BALANCE:
        return f"too little balance at price {_shown(price, rules)}; {_smallest(rules)}"
    if skip == SkipReason.BELOW_MINIMUM_AMOUNT:
        return f"the amount is too small; {_smallest(rules)}"
    if skip == SkipReason.BELOW_MINIMUM_COST:
        return f"the order's value is too small; {_smallest(rules)}"
    return _EXPLANATIONS[skip]


def _smallest(rules: MarketRules) -> str:
    return (
        f"the market takes orders from {rules.minimum_amount.normalize():f} in base "
        f"and {rules.minimum_cost.normalize():f} in quote"
    )


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{part * 100 / whole:.1f} %"


def _shown(price: Decimal, rules: MarketRules) -> str:
    tick_places = max(0, -int(rules.price_tick.normalize().as_tuple().exponent))
    return f"{price:.{tick_places}f}"
