"""Try a bot on past candles: the platform's cycle, from window to order, without clock and network.

`Backtest` is the trusted half: it says at which candle the bot is asked, takes its answer, and trades. It
does not know how the bot is run: in this process (`simulate`), or confined and one candle at a time by the
platform. Both give the same figures, because all that counts is what the bot answered.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot_sdk.account import snapshot_of
from bot_sdk.action import BUY, HOLD, SELL, Action
from bot_sdk.bot import CustomBot, connect
from bot_sdk.bot_loop import BotFailed, BotLoop, failure_of
from bot_sdk.desk import Decision, Desk, Terms
from bot_sdk.history import WINDOW_CANDLES, History
from bot_sdk.ledger import Holding
from bot_sdk.skip_reasons import SkipReason
from bot_sdk.trades import Fill
from bot_sdk.window import GrowingWindow

KEPT_FAILURES = 20

Heard = Callable[[Action | str], None]  # what a bot answered: an action, or in a text how it failed


@dataclass(frozen=True, slots=True)
class Setup:
    """What a subscription settles before the bot runs; `config` is the bot's own."""

    exchange: str
    trading_pair: str
    timeframe: str
    terms: Terms
    config: Mapping[str, Any]

    def task(self) -> dict[str, Any]:
        """Return what the bot is given beside the candles, in what JSON can hold."""
        return {
            "timeframe": self.timeframe,
            "config": dict(self.config),
            "subscription_config": {
                "exchange_type": self.exchange,
                "trading_pair": self.trading_pair,
                "timeframe": self.timeframe,
                "strategy_config": dict(self.config),
                "execution_config": self.terms.execution.to_dict(),
                "risk_config": self.terms.risk.to_dict(),
            },
        }


class Worth(NamedTuple):
    """Of each candle's close, in quote: everything together, and the position by itself."""

    equity: NDArray[np.float64]
    position: NDArray[np.float64]


class Failure(NamedTuple):
    """A candle on which the bot did not decide, and why."""

    opened_at: datetime
    message: str


class Backtest:
    """One run over a history: the bot is asked at `row`, which moves on with each answer that it gives.

    `answered` counts what the bot said, by action; `skips` the wishes that became no order, by reason;
    `failures` are the first twenty candles on which it failed, `failed` is how many there were.
    """

    def __init__(self, history: History, setup: Setup, *, heard: Heard | None = None) -> None:
        """`heard` is told each answer before it is acted on, while the backtest still stands at its row."""
        self.history = history
        self.setup = setup
        self.desk = Desk(setup.terms)
        self.row = history.first - 1
        self.answered: Counter[str] = Counter()
        self.gapped = 0
        self.failed = 0
        self.failures: list[Failure] = []
        self._heard = heard
        self._held: list[tuple[int, Holding]] = [(history.first, self.desk.holding)]
        self.advance()

    @property
    def is_over(self) -> bool:
        return self.row >= len(self.history)

    @property
    def skips(self) -> Counter[SkipReason]:
        skips = Counter(each.signal.skip for each in self.desk.decisions if each.signal.skip)
        skips.update({SkipReason.BOT_FAILED: self.failed, SkipReason.GAPPED_CANDLES: self.gapped})
        return +skips

    def act(self, action: Action) -> None:
        """Act on the bot's answer at `row`."""
        if self._heard is not None:
            self._heard(action)
        self.answered[action.action] += 1
        if action.action != HOLD:
            self.desk.answer(action, self.history.closed_at(self.row), self.history.close(self.row))

    def fail(self, message: str) -> None:
        """Take note that the bot failed at `row`: nothing is traded but what protects the position."""
        if self._heard is not None:
            self._heard(message)
        self.failed += 1
        if self.failed <= KEPT_FAILURES:
            self.failures.append(Failure(self.history.opened_at(self.row), message))

    def advance(self) -> None:
        """Go on to the next candle on which the bot is asked."""
        self._note_holding(self.row)
        self.row += 1
        while not self.is_over:
            if self.desk.is_waiting and not self._is_calm(self.row):
                self.desk.pass_candle(self.history.bar(self.row), self.history.bars_within(self.row))
                self._note_holding(self.row)
            if not self.history.gapped[self.row]:
                return
            self.gapped += 1
            self.row += 1

    def answer(self, question: str, *arguments: Any) -> Any:
        """Answer what the bot asks at `row`, as an `AccountView`."""
        price = self.history.close(self.row)
        candles = self.history.newest_candles(self.row)
        snapshot = snapshot_of(self.desk.holding, price, self.setup.trading_pair, candles)
        return snapshot.answer(question, *arguments)

    @property
    def passed(self) -> slice:
        """The rows that are over, from the first on which the bot was asked."""
        return slice(self.history.first, min(self.row, len(self.history)))

    def worth(self) -> Worth:
        """Return what was held at the close of each row that is over."""
        rows = np.arange(self.passed.start, self.passed.stop)
        since = np.searchsorted([row for row, _ in self._held], rows, side="right") - 1
        quote = np.array([float(holding.quote_balance) for _, holding in self._held])
        base = np.array([float(holding.base_amount) for _, holding in self._held])
        position = base[since] * self.history.closes[rows]
        return Worth(quote[since] + position, position)

    def _is_calm(self, row: int) -> bool:
        """Return whether the row's candle is known to change nothing."""
        calm, history = self.desk.calm, self.history
        return calm is not None and calm.holds(
            history.lows[row], history.highs[row], lambda: history.closed_at(row)
        )

    def _note_holding(self, row: int) -> None:
        if self.desk.holding is not self._held[-1][1]:
            self._held.append((row, self.desk.holding))


@dataclass(frozen=True, slots=True)
class Step:
    """One candle on which the bot was asked: what it wanted, and what happened up to its close.

    `price` is the close. `decisions` and `fills` are those since the step before; with fills at the next
    open, a wish is decided in the next step. `holding` is what is held afterwards.
    """

    opened_at: datetime
    price: Decimal
    action: Action
    decisions: tuple[Decision, ...]
    fills: tuple[Fill, ...]
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
    bot_class: type[CustomBot],
    backtest: Backtest,
    *,
    code: bytes = b"",
    models: Mapping[str, object] | None = None,
) -> Iterator[Step]:
    """Run the bot in this process and yield one step per candle on which it was asked.

    `code` is the bot's file, which seeds its random numbers; `models` is what it finds as config["models"].
    Raises BotFailed when the bot fails.
    """
    desk, history = backtest.desk, backtest.history
    decided = filled = 0
    for said in _answers(bot_class, backtest, code, models):
        opened_at = history.opened_at(backtest.row)
        if not isinstance(said, Action):
            raise BotFailed(f"The bot failed at the candle of {opened_at}: {said}")
        price = history.close(backtest.row)
        backtest.act(said)
        decisions, fills = tuple(desk.decisions[decided:]), tuple(desk.fills[filled:])
        decided, filled = len(desk.decisions), len(desk.fills)
        yield Step(opened_at, price, said, decisions, fills, desk.holding)
        backtest.advance()


def run(
    bot_class: type[CustomBot],
    backtest: Backtest,
    *,
    code: bytes = b"",
    models: Mapping[str, object] | None = None,
) -> Backtest:
    """Run the bot in this process to the end and return the backtest; failures are counted, not raised.

    `code` and `models` are as in `simulate`.
    """
    for said in _answers(bot_class, backtest, code, models):
        if isinstance(said, Action):
            backtest.act(said)
        else:
            backtest.fail(said)
        backtest.advance()
    return backtest


def summarize(backtest: Backtest) -> Summary:
    """Return the figures of a run as far as it has come."""
    desk, history, capital = backtest.desk, backtest.history, backtest.setup.terms.capital
    last = min(backtest.row, len(history)) - 1
    equity = desk.holding.equity(history.close(last)) if last >= history.first else capital
    sides = Counter(fill.side for fill in desk.fills)
    return Summary(
        candles=sum(backtest.answered.values()) + backtest.failed,
        buys=sides[BUY],
        sells=sides[SELL],
        skips=dict(backtest.skips),
        fees=desk.holding.fees_paid,
        equity=equity,
        return_percent=(equity - capital) * 100 / capital,
    )


def _answers(
    bot_class: type[CustomBot], backtest: Backtest, code: bytes, models: Mapping[str, object] | None
) -> Iterator[Action | str]:
    """Ask the bot at each of the backtest's rows; a text says how it failed."""
    history = backtest.history
    loop = BotLoop(bot_class, backtest.setup.task(), code=code, models=models)
    window = GrowingWindow(history.columns, length=WINDOW_CANDLES)
    stamps, rows = history.stamps.tolist(), history.rows
    connect(backtest)
    try:
        for row in range(max(history.first - WINDOW_CANDLES + 1, 0), len(history)):
            window.append(stamps[row], rows[row])
            if row == backtest.row:
                try:
                    said: Action | str = loop.decide(window.frame(), stamps[row])
                except Exception as error:  # noqa: BLE001  whatever a bot raises is its answer
                    said = failure_of(error, bot_class)
                yield said
    finally:
        connect(None)
