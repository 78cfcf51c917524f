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
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from bot_sdk.account import candles_of, snapshot_of
from bot_sdk.action import BUY, HOLD, SELL, Action
from bot_sdk.bot import CustomBot, connect
from bot_sdk.configs import MARKET, ExecutionConfig, RiskConfig
from bot_sdk.ledger import ZERO, Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.matching import Execution, fill_limit_order, fill_market_order, is_traded_through
from bot_sdk.risk import BOT, Signal, decide
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

    `price` is the candle's close. `executions` are in order: first that of a limit order from an earlier
    candle, then that of the decision; there are none when nothing was traded.
    """

    opened_at: datetime
    price: Decimal
    action: Action
    signal: Signal
    executions: tuple[Execution, ...]
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
    Market orders are filled in full at that candle's close, bid and ask alike, with the taker fee. A limit
    order is filled in full by the first later candle that trades through its price, and ends at the first
    close at which its time is over; stops are looked at once per candle, at its close. Raises BotFailed when
    the bot does and ValueError for a warm-up below 1.
    """
    if warm_up < 1:
        raise ValueError(f"The warm-up takes at least the first candle: expected 1 or more, not {warm_up}.")
    desk = _Desk(setup)
    for row in range(warm_up, len(frame) + 1):
        seen = frame.iloc[:row]
        candle = _newest_candle(seen, setup.timeframe)
        earlier = desk.follow(candle)
        action = _ask(bot_class, seen, setup, desk.holding, candle.close)
        signal, executions = desk.answer(action, candle)
        yield Step(
            opened_at=candle.opened_at,
            price=candle.close,
            action=action,
            signal=signal,
            executions=earlier + executions,
            holding=desk.holding,
        )


def summarize(steps: Iterable[Step], capital: Decimal) -> Summary:
    """Return the figures of a run that started with `capital`; without steps, those of an idle one."""
    counts: Counter[str] = Counter()
    skips: Counter[SkipReason] = Counter()
    fees, equity = Decimal(0), capital
    for step in steps:
        counts.update(["candles", *(execution.side for execution in step.executions)])
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


@dataclass(frozen=True, slots=True)
class _Candle:
    opened_at: datetime
    closed_at: datetime
    high: Decimal
    low: Decimal
    close: Decimal


def _newest_candle(seen: pd.DataFrame, timeframe: str) -> _Candle:
    row, opened_at = seen.iloc[-1], seen.index[-1].to_pydatetime()
    # Through its shortest text a float becomes the price that the exchange quoted.
    prices = {name: Decimal(repr(float(row[name]))) for name in ("high", "low", "close")}
    return _Candle(opened_at=opened_at, closed_at=opened_at + duration(timeframe), **prices)


@dataclass(frozen=True, slots=True)
class _OpenOrder:
    action: Action
    side: str
    amount: Decimal
    limit_price: Decimal
    ends_at: datetime


class _Desk:
    """What is held, what the rules remember, and the limit order that is open: at most one."""

    def __init__(self, setup: Setup) -> None:
        self.holding = Holding.start(setup.capital)
        self._setup = setup
        self._state = RiskState.start(setup.capital)
        self._order: _OpenOrder | None = None

    def follow(self, candle: _Candle) -> tuple[Execution, ...]:
        """Fill the open order in the candle, or end it at the candle's close when its time is over."""
        executions: tuple[Execution, ...] = ()
        order = self._order
        if order and is_traded_through(order.side, order.limit_price, candle.low, candle.high):
            fill = fill_limit_order(order.side, order.amount, order.limit_price, self._setup.rules)
            executions, self._order = (self._booked(fill, candle),), None
        self._state = self._state.seen(
            at=candle.closed_at, bid=candle.close, holding=self.holding, risk=self._setup.risk
        )
        if self._order and candle.closed_at >= self._order.ends_at:
            executions = self._end(self._order, candle)
        return executions

    def answer(self, action: Action, candle: _Candle) -> tuple[Signal, tuple[Execution, ...]]:
        """Return the signal on the bot's action and what its order was filled with at once."""
        signal = self._decide(action, candle, self._setup.execution)
        if self._order and signal.source == BOT and action.action != HOLD:
            wish = f"The bot's {action.action} was passed over, because an earlier order is still open."
            return Signal(HOLD, ZERO, wish, BOT, SkipReason.ORDER_OPEN), ()
        return signal, self._place(action, signal, candle)

    def _end(self, order: _OpenOrder, candle: _Candle) -> tuple[Execution, ...]:
        self._order = None
        if self._setup.execution.limit_timeout_action != MARKET:
            return ()
        at_once = self._setup.execution.at_once()
        return self._place(order.action, self._decide(order.action, candle, at_once), candle)

    def _decide(self, action: Action, candle: _Candle, execution: ExecutionConfig) -> Signal:
        return decide(
            action=action,
            holding=self.holding,
            bid=candle.close,
            ask=candle.close,
            rules=self._setup.rules,
            execution=execution,
            risk=self._setup.risk,
            allocated_capital=self._setup.capital,
            state=self._state,
            at=candle.closed_at,
        )

    def _place(self, action: Action, signal: Signal, candle: _Candle) -> tuple[Execution, ...]:
        """Send the signal's order in place of any that is open, which only a protective exit comes to."""
        if signal.action == HOLD:
            return ()
        self._order = None
        self._state = self._state.ordered()
        if signal.limit_price is not None:
            seconds = self._setup.execution.limit_timeout_seconds or 0
            self._order = _OpenOrder(
                action=action,
                side=signal.action,
                amount=signal.amount,
                limit_price=signal.limit_price,
                ends_at=candle.closed_at + timedelta(seconds=seconds),
            )
            return ()
        price = candle.close
        fill = fill_market_order(signal.action, signal.amount, price, price, self._setup.rules)
        return (self._booked(fill, candle),)

    def _booked(self, fill: Execution, candle: _Candle) -> Execution:
        before = self.holding
        self.holding = apply_fill(before, fill.side, fill.amount, fill.price, fill.fee)
        self._state = self._state.filled(
            at=candle.closed_at,
            before=before,
            after=self.holding,
            price=fill.price,
            rules=self._setup.rules,
        )
        return fill


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
