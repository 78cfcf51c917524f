"""Run a bot over candles, deciding and filling as the platform does, without clock or network.

The platform starts every cycle with a new bot that sees the candles up to the newest closed one, and so does
this loop: what a bot keeps on itself is gone at the next candle.
"""

import copy
import inspect
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from bot_sdk.account import candles_of, snapshot_of
from bot_sdk.action import BUY, HOLD, SELL, Action
from bot_sdk.bot import CustomBot, connect
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.matching import Execution, fill_market_order
from bot_sdk.risk import Signal, decide
from bot_sdk.risk_state import RiskState
from bot_sdk.skip_reasons import SkipReason
from bot_sdk.timeframes import duration


class BotFailed(RuntimeError):
    """The bot raised, or returned no Action; the message names the candle and the line."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a subscription settles before the bot runs. `capital` is in quote; `config` is the bot's own."""

    exchange: str
    trading_pair: str
    timeframe: str
    capital: Decimal
    rules: MarketRules
    execution: ExecutionConfig
    risk: RiskConfig
    config: Mapping[str, Any]

    def subscription_config(self) -> dict[str, Any]:
        """Return what the bot gets as `subscription_config`."""
        return {
            "exchange_type": self.exchange,
            "trading_pair": self.trading_pair,
            "timeframe": self.timeframe,
            "strategy_config": copy.deepcopy(dict(self.config)),
            "execution_config": self.execution.to_dict(),
            "risk_config": self.risk.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One candle: what the bot wanted, what was decided, what was filled, and what is held afterwards.

    `price` is the candle's close; `execution` is None when nothing was traded.
    """

    opened_at: datetime
    price: Decimal
    action: Action
    signal: Signal
    execution: Execution | None
    holding: Holding


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole run: `fees` and `equity` in quote, the return in percent of the capital, skips by reason."""

    candles: int
    buys: int
    sells: int
    skips: Mapping[SkipReason, int]
    fees: Decimal
    equity: Decimal
    return_percent: Decimal


def simulate(
    bot_class: type[CustomBot], frame: pd.DataFrame, setup: Setup, *, warm_up: int
) -> Iterator[Step]:
    """Yield one step per candle, from the `warm_up`-th row on (1 is the first).

    `frame` is what `add_indicators` returns; the bot sees its rows up to and including the step's candle.
    Orders are filled in full at that candle's close, bid and ask alike, with the taker fee. Raises BotFailed
    when the bot does and ValueError for a warm-up below 1.
    """
    if warm_up < 1:
        raise ValueError(f"The warm-up takes at least the first candle: expected 1 or more, not {warm_up}.")
    holding, state = Holding.start(setup.capital), RiskState.start(setup.capital)
    for row in range(warm_up, len(frame) + 1):
        seen = frame.iloc[:row]
        # Through its shortest text the float becomes the price that the exchange quoted.
        price = Decimal(repr(float(seen["close"].iloc[-1])))
        opened_at = seen.index[-1].to_pydatetime()
        closed_at = opened_at + duration(setup.timeframe)
        action = _ask(bot_class, seen, setup, holding, price)
        state = state.seen(at=closed_at, bid=price, holding=holding, risk=setup.risk)
        signal = decide(
            action=action,
            holding=holding,
            bid=price,
            ask=price,
            rules=setup.rules,
            execution=setup.execution,
            risk=setup.risk,
            allocated_capital=setup.capital,
            state=state,
            at=closed_at,
        )
        execution = None
        if signal.action != HOLD:
            execution = fill_market_order(signal.action, signal.amount, price, price, setup.rules)
            before = holding
            holding = apply_fill(before, signal.action, execution.amount, execution.price, execution.fee)
            state = state.ordered().filled(
                at=closed_at, before=before, after=holding, price=execution.price, rules=setup.rules
            )
        yield Step(opened_at, price, action, signal, execution, holding)


def summarize(steps: Iterable[Step], capital: Decimal) -> Summary:
    """Return the figures of a run that started with `capital`; without steps, those of an idle one."""
    counts: Counter[str] = Counter()
    skips: Counter[SkipReason] = Counter()
    fees, equity = Decimal(0), capital
    for step in steps:
        counts.update(["candles", step.signal.action])
        skips.update([step.signal.skip] if step.signal.skip else [])
        fees, equity = step.holding.fees_paid, step.holding.equity(step.price)
    return Summary(
        candles=counts["candles"],
        buys=counts[BUY],
        sells=counts[SELL],
        skips=dict(skips),
        fees=fees,
        equity=equity,
        return_percent=(equity - capital) * 100 / capital,
    )


def _ask(
    bot_class: type[CustomBot], seen: pd.DataFrame, setup: Setup, holding: Holding, price: Decimal
) -> Action:
    connect(snapshot_of(holding, price, setup.trading_pair, candles_of(seen)))
    try:
        bot = bot_class(copy.deepcopy(dict(setup.config)), {})
        action = bot.execute_algorithm(seen, setup.timeframe, setup.subscription_config())
    except Exception as error:
        message = f"{type(error).__name__}: {error}{_line_in_bot(error, bot_class)}"
        raise BotFailed(f"The bot failed at the candle of {seen.index[-1]}: {message}") from error
    finally:
        connect(None)
    if not isinstance(action, Action):
        raise BotFailed(
            f"The bot returned {type(action).__name__} at the candle of {seen.index[-1]}: "
            'expected an Action on every path, for example Action("HOLD", price, "why").'
        )
    return action


def _line_in_bot(error: Exception, bot_class: type[CustomBot]) -> str:
    bot_file = inspect.getfile(bot_class)
    lines = [
        place.lineno for place in traceback.extract_tb(error.__traceback__) if place.filename == bot_file
    ]
    return f" ({bot_file}, line {lines[-1]})" if lines else ""
