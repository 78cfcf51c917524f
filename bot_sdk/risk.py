"""From what a bot wants to what the platform does: protective stops, sizing, limits.

Everything here is arithmetic on what it is given; prices are in quote per base, amounts in base.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot_sdk.action import BUY, HOLD, SELL, Action
from bot_sdk.configs import FIXED, ExecutionConfig, RiskConfig
from bot_sdk.ledger import ZERO, Holding
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import FEE_STEP, cost_of, exact, fee_on
from bot_sdk.skip_reasons import SkipReason

__all__ = ["Signal", "SkipReason", "affordable_amount", "decide"]

BOT = "bot"
STOP_LOSS = "stop_loss"
TAKE_PROFIT = "take_profit"


@dataclass(frozen=True, slots=True)
class Signal:
    """What the platform will act on.

    `action` is "BUY" or "SELL" with an `amount` in base that the market accepts, or "HOLD" with amount zero.
    `source` is "bot", "stop_loss" or "take_profit". `skip` says why a wanted order was not possible; the
    action is then "HOLD" and `reason` says in words what was wanted.
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
) -> Signal:
    """Return the signal for one candle. `action` is None when the bot failed.

    Selling is judged at `bid`, what one unit of base brings now, and buying at `ask`, what it costs.
    In this order, the first that applies:

    1. Stop loss: a position and `bid` at or below its average entry price less the limit: SELL all.
    2. Take profit: a position and `bid` at or above its average entry price plus the limit: SELL all.
    3. The bot failed: HOLD, skipped as bot_failed.
    4. The bot's HOLD.
    5. The bot's SELL, of the position or a percentage of it, rounded down to the market's step.
    6. The bot's BUY: a PERCENTAGE of `allocated_capital`, a FIXED quote amount or ALL of the free balance,
       cut to `max_position_size` and to what the free balance pays for with the fee, rounded down.

    A stop whose position is too small for the market to accept as an order is passed over, because the bot
    could otherwise never trade again.
    """
    stop = _stop(holding, bid, rules, risk)
    if stop:
        return stop
    if action is None:
        return Signal(HOLD, ZERO, "The bot failed, so nothing was traded.", BOT, SkipReason.BOT_FAILED)
    if action.action == SELL:
        return _sell(action, holding, bid, rules, execution)
    if action.action == BUY:
        return _buy(
            action=action,
            holding=holding,
            price=ask,
            rules=rules,
            execution=execution,
            risk=risk,
            allocated_capital=allocated_capital,
        )
    return Signal(HOLD, ZERO, action.reason, BOT)


def affordable_amount(*, quote_balance: Decimal, price: Decimal, rules: MarketRules) -> Decimal:
    """Return the largest amount, in whole steps, that `quote_balance` pays for with the taker fee."""
    with exact():
        price_with_fee = price * (1 + rules.taker_fee_fraction)
        amount = rules.round_down(max(quote_balance, ZERO) / price_with_fee)
        cost = cost_of(amount, price)
        if cost + fee_on(cost, rules.taker_fee_fraction) <= quote_balance:
            return amount
        # The fee is rounded up by less than one fee step: setting that step aside always makes it fit.
        return rules.round_down(max(quote_balance - FEE_STEP, ZERO) / price_with_fee)


def _stop(holding: Holding, price: Decimal, rules: MarketRules, risk: RiskConfig) -> Signal | None:
    entry = holding.average_entry_price
    amount = rules.round_down(holding.base_amount)
    if not entry or rules.problem_with(amount, price):
        return None
    with exact():
        gain = (price - entry) * 100
        # Compared as products, because a division would round and equality has to trigger.
        is_stop_loss = risk.stop_loss_percent is not None and -gain >= risk.stop_loss_percent * entry
        is_take_profit = risk.take_profit_percent is not None and gain >= risk.take_profit_percent * entry
    prices = f"the average entry {_shown(entry, rules)}"
    if is_stop_loss:
        reason = f"Stop loss: price {_shown(price, rules)} is {-gain / entry:.1f} % below {prices}"
        return Signal(SELL, amount, reason, STOP_LOSS)
    if is_take_profit:
        reason = f"Take profit: price {_shown(price, rules)} is {gain / entry:.1f} % above {prices}"
        return Signal(SELL, amount, reason, TAKE_PROFIT)
    return None


def _sell(
    action: Action, holding: Holding, price: Decimal, rules: MarketRules, execution: ExecutionConfig
) -> Signal:
    if holding.base_amount == 0:
        return _skipped(action, SkipReason.NO_POSITION, price, rules)
    wanted = holding.base_amount
    if execution.sell_order_value is not None:
        with exact():
            wanted = holding.base_amount * execution.sell_order_value / 100
    amount = rules.round_down(wanted)
    problem = rules.problem_with(amount, price)
    if problem:
        return _skipped(action, problem, price, rules)
    return Signal(SELL, amount, action.reason, BOT)


def _buy(
    *,
    action: Action,
    holding: Holding,
    price: Decimal,
    rules: MarketRules,
    execution: ExecutionConfig,
    risk: RiskConfig,
    allocated_capital: Decimal,
) -> Signal:
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
    return Signal(BUY, amount, action.reason, BOT)


def _skipped(action: Action, skip: SkipReason, price: Decimal, rules: MarketRules) -> Signal:
    smallest = (
        f"the market takes orders from {rules.minimum_amount.normalize():f} in base "
        f"and {rules.minimum_cost.normalize():f} in quote"
    )
    explanations = {
        SkipReason.NO_POSITION: "there is no position to sell",
        SkipReason.INSUFFICIENT_BALANCE: f"too little balance at price {_shown(price, rules)}; {smallest}",
        SkipReason.POSITION_LIMIT: "the position is as large as the maximum position size allows",
        SkipReason.BELOW_MINIMUM_AMOUNT: f"the amount is too small; {smallest}",
        SkipReason.BELOW_MINIMUM_COST: f"the order's value is too small; {smallest}",
    }
    outcome = "Not bought" if action.action == BUY else "Not sold"
    bot_reason = f" (bot: {action.reason})" if action.reason else ""
    return Signal(HOLD, ZERO, f"{outcome}: {explanations[skip]}{bot_reason}", BOT, skip)


def _shown(price: Decimal, rules: MarketRules) -> str:
    tick_places = max(0, -int(rules.price_tick.normalize().as_tuple().exponent))
    return f"{price:.{tick_places}f}"
