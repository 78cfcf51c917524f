"""What pages show of a bot's records, in words."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bots.models import Bot
from exchanges.templatetags.amounts import percent, plain
from execution.metric_rows import Shown, shown
from execution.metric_words import MISSING
from execution.models import Backtest, BotRecord
from execution.sandbox import Verdict
from subscriptions.models import Subscription

_FIRST = ("total_return_percent", "buy_and_hold_percent", "max_drawdown_percent")


@dataclass(frozen=True, slots=True)
class BacktestRecord:
    """The marketplace's own backtest; without figures it is not finished, or has failed."""

    record: BotRecord
    backtest: Backtest | None
    first: list[Shown]
    others: list[Shown]

    @property
    def is_cut_short(self) -> bool:
        return self.backtest is not None and self.backtest.state == Backtest.State.ENDED_EARLY

    @property
    def has_failed(self) -> bool:
        return self.backtest is None or self.backtest.state == Backtest.State.FAILED


@dataclass(frozen=True, slots=True)
class ForwardRecord:
    """The marketplace's own run on paper: what was measured of it last, and what it is worth now.

    `record` is None in its first hour. `equity` is in quote, None before its first candle; `missed` is None
    in its first hour.
    """

    run: Subscription
    record: BotRecord | None
    first: list[Shown]
    others: list[Shown]
    equity: Decimal | None
    decided: int
    missed: int | None

    @property
    def total_percent(self) -> Decimal | None:
        capital = self.run.allocated_capital
        return None if self.equity is None else (self.equity / capital - 1) * 100

    @property
    def is_paused(self) -> bool:
        return self.run.state != Subscription.State.ACTIVE

    @property
    def is_halted(self) -> bool:
        """Whether the drawdown limit has ended its buying, which for these runs nobody lifts."""
        return hasattr(self.run, "position") and self.run.position.past.is_halted


@dataclass(frozen=True, slots=True)
class Judged:
    """What was measured of a promise; `is_kept` is None where that is nothing, or too little to tell."""

    measured: str = MISSING
    is_kept: bool | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a developer promised, and what came of it in our backtest and on paper since."""

    promised: str
    in_backtest: Judged
    on_paper: Judged


def backtest_record(record: BotRecord) -> BacktestRecord:
    """Return what to show of it. Select its backtest and market beforehand."""
    backtest = record.backtest
    if record.measured_at is None or backtest is None:
        return BacktestRecord(record, backtest, [], [])
    first, others = _figures(record, backtest.market.quote)
    return BacktestRecord(record, backtest, first, others)


def forward_record(run: Subscription, record: BotRecord | None) -> ForwardRecord:
    """Return what to show of a run. Select its market and position beforehand; it takes a query or two."""
    valued = run.cycles.filter(equity__isnull=False).values_list("equity", flat=True)
    if record is None:
        decided = run.cycles.filter(verdict=Verdict.OK).count()  # of an hour
        return ForwardRecord(run, None, [], [], valued.first(), decided, None)
    first, others = _figures(record, run.market.quote)
    decided, missed = record.figures["decided"], record.figures["missed"]
    return ForwardRecord(run, record, first, others, valued.first(), decided, missed)


def promises(bot: Bot, backtest: BotRecord | None, forward: BotRecord | None) -> list[Promise]:
    """Return the developer's promises, each judged by both of our records."""
    found = []
    trades, most = bot.promised_trades_per_week, bot.promised_max_drawdown_percent
    if trades is not None:
        judge = _Judge(
            "trades_per_week",
            text=lambda came: f"{plain(round(came, 1))} a week",
            is_kept=lambda came: came >= trades,
        )
        found.append(Promise(f"At least {plain(trades)} trades a week", judge(backtest), judge(forward)))
    if most is not None:
        judge = _Judge("max_drawdown_percent", text=percent, is_kept=lambda came: came <= most)
        found.append(Promise(f"A drawdown of at most {percent(most)}", judge(backtest), judge(forward)))
    return found


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges records by one of their figures."""

    key: str
    text: Callable[[float], str]
    is_kept: Callable[[float], bool]

    def __call__(self, record: BotRecord | None) -> Judged:
        came = record.figures.get(self.key) if record else None
        return Judged() if came is None else Judged(self.text(came), self.is_kept(came))


def _figures(record: BotRecord, quote: str) -> tuple[list[Shown], list[Shown]]:
    """Return what is shown first, and the others."""
    trades = round(record.figures["trades"])
    metrics = shown(record.figures, quote=quote, days=record.days, trades=trades)
    others = [each for key, each in metrics.items() if key in record.figures and key not in _FIRST]
    return [metrics[key] for key in _FIRST], others
