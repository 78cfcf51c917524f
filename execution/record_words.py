"""What pages show of a bot's records, in words."""

from dataclasses import dataclass

from bots.models import Bot
from exchanges.templatetags.amounts import percent, plain
from execution.metric_rows import Shown, shown
from execution.metric_words import MISSING
from execution.models import Backtest, BotRecord

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
class Promise:
    """What a developer promised, beside what was measured; `is_kept` is None where nothing was."""

    promised: str
    measured: str
    is_kept: bool | None


def backtest_record(record: BotRecord) -> BacktestRecord:
    """Return what to show of it. Select its backtest and market beforehand."""
    backtest = record.backtest
    if record.measured_at is None or backtest is None:
        return BacktestRecord(record, backtest, [], [])
    trades = round(record.figures["trades"])
    metrics = shown(record.figures, quote=backtest.market.quote, days=record.days, trades=trades)
    others = [each for key, each in metrics.items() if key in record.figures and key not in _FIRST]
    return BacktestRecord(record, backtest, [metrics[key] for key in _FIRST], others)


def promises(bot: Bot, record: BotRecord | None) -> list[Promise]:
    """Return the developer's promises, each judged by our own backtest."""
    figures = record.figures if record else {}
    trades, came = bot.promised_trades_per_week, figures.get("trades_per_week")
    found = []
    if trades is not None:
        measured = MISSING if came is None else f"{plain(round(came, 1))} a week"
        is_kept = None if came is None else came >= trades
        found.append(Promise(f"At least {plain(trades)} trades a week", measured, is_kept))
    most, came = bot.promised_max_drawdown_percent, figures.get("max_drawdown_percent")
    if most is not None:
        measured = MISSING if came is None else percent(came)
        is_kept = None if came is None else came <= most
        found.append(Promise(f"A drawdown of at most {percent(most)}", measured, is_kept))
    return found
