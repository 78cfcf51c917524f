"""What lists show of bots' records, by which they are ranked, and on which exchanges bots can trade."""

from collections.abc import Mapping
from typing import Any

from django.db.models import DateTimeField, F, OuterRef, Prefetch, Q, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from bot_sdk.metric_table import METRICS
from bots.models import Bot, BotVersion
from exchanges.models import Market
from execution.models import Backtest, BotRecord

SCORE = "probabilistic_sharpe_percent"
BACKTEST_WEIGHT = 0.5  # it may have been tuned to prices that were known
LONG_ENOUGH = next(
    metric.minimum_days for metric in METRICS if metric.key == SCORE
)  # on paper, to be ranked by

_Kind = BotRecord.Kind


def show_records() -> None:
    """Have lists show what was measured last of the version that new subscribers get."""
    offered = BotVersion.objects.published().filter(bot=OuterRef("version__bot"))
    newest = Subquery(offered.order_by("-created_at", "-pk").values("pk")[:1])
    measured = BotRecord.objects.filter(
        kind__in=[_Kind.BACKTEST, _Kind.FORWARD], measured_at__isnull=False, version=newest
    )
    shown = Coalesce(KeyTextTransform("version", "version__bot__record"), Value(""), output_field=TextField())
    as_of = Cast(KeyTextTransform("as_of", "version__bot__record"), DateTimeField())
    is_newer = Q(as_of=None) | Q(measured_at__gt=F("as_of")) | ~Q(shown=F("version__number"))
    news = measured.annotate(shown=shown, as_of=as_of).filter(is_newer)
    for version in _with_records(BotVersion.objects.filter(pk__in=news.values("version"))):
        bot = version.bot
        kept = {record.kind: record for record in version.records.all()}
        bot.record, bot.record_score = _shown(version, kept), _score(kept)
        bot.days_on_paper = kept[_Kind.FORWARD].days if _Kind.FORWARD in kept else None
        bot.worst_drawdown_percent = max(record.figures["max_drawdown_percent"] for record in kept.values())
        bot.save(update_fields=["record", "record_score", "days_on_paper", "worst_drawdown_percent"])


def forget_former() -> None:
    """Rank no bot by a version whose place another one has taken; the record stays, by its name."""
    shown = Coalesce(KeyTextTransform("version", "record"), Value(""), output_field=TextField())
    ranked = Q(record_score__isnull=False) | Q(days_on_paper__isnull=False)
    known = Bot.objects.filter(
        ranked | Q(worst_drawdown_percent__isnull=False), newest_published__isnull=False
    )
    newest = BotVersion.objects.filter(pk=OuterRef("newest_published")).values("number")[:1]
    compared = known.annotate(shown=shown, newest=Subquery(newest)).filter(newest__isnull=False)
    former = compared.exclude(shown=F("newest"))
    former.update(record_score=None, days_on_paper=None, worst_drawdown_percent=None)


def note_exchanges() -> None:
    """Note on bots where one of their pairs is traded; one that names none can trade at each exchange."""
    pairs: dict[str, set[str]] = {}
    for exchange, pair in Market.objects.tradable().values_list("exchange", "trading_pair"):
        pairs.setdefault(exchange, set()).add(pair)
    changed = []
    for bot in Bot.objects.exclude(state=Bot.State.DRAFT).only("trading_pairs", "exchanges"):
        wanted = bot.trading_pairs
        there = sorted(each for each in pairs if not wanted or not pairs[each].isdisjoint(wanted))
        if there != bot.exchanges:
            bot.exchanges = there
            changed.append(bot)
    Bot.objects.bulk_update(changed, ["exchanges"], batch_size=500)


def _with_records(versions: QuerySet[BotVersion]) -> QuerySet[BotVersion]:
    measured = BotRecord.objects.filter(
        kind__in=[_Kind.BACKTEST, _Kind.FORWARD], measured_at__isnull=False
    ).select_related("backtest")
    light = measured.defer("backtest__report", "backtest__log")
    return versions.select_related("bot").prefetch_related(Prefetch("records", queryset=light))


def _shown(version: BotVersion, kept: Mapping[str, BotRecord]) -> dict[str, Any]:
    """Return the record that a list draws, with the other one beside it if there is one."""
    ranked = _ranked_by(kept)
    others = [record for record in kept.values() if record is not ranked]
    return {
        "version": version.number,
        "as_of": max(record.measured_at for record in kept.values() if record.measured_at).isoformat(),
        "line": ranked.line,
        **_in_short(ranked),
        "beside": _in_short(others[0]) if others else None,
    }


def _in_short(record: BotRecord) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "days": record.days,
        "return_percent": record.figures["total_return_percent"],
    }


def _ranked_by(kept: Mapping[str, BotRecord]) -> BotRecord:
    """Return the run on paper once it is long enough, and until then the backtest, if it is done."""
    backtest, forward = kept.get(_Kind.BACKTEST), kept.get(_Kind.FORWARD)
    if forward is not None and (backtest is None or forward.days >= LONG_ENOUGH):
        return forward
    assert backtest is not None
    return backtest


def _score(kept: Mapping[str, BotRecord]) -> float | None:
    record = _ranked_by(kept)
    score: float | None = record.figures[SCORE]
    if record.kind == _Kind.FORWARD or score is None:
        return score
    # a bot that breaks off when it loses must not gain by it
    is_whole = record.backtest is not None and record.backtest.state == Backtest.State.DONE
    return score * BACKTEST_WEIGHT if is_whole else None
