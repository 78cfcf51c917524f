"""The records of a bot: a page of their own, and the part of the bot's page that htmx pulls in."""

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.moment import kept_for_visitors
from bots.models import Bot, BotVersion
from bots.views import readable_bots
from execution.cautions import cautions
from execution.market_statistics import FEWEST_DAYS, bots_by_fate, results, versions_by_state
from execution.models import BotRecord
from execution.record_words import backtest_record, forward_record, promises
from subscriptions.models import Subscription

MOST_OTHERS = 20  # versions beside the one whose records are shown


@require_safe
@kept_for_visitors
@vary_on_headers("HX-Request")
def records(request: HttpRequest, slug: str) -> HttpResponse:
    bot = get_object_or_404(readable_bots(request), slug=slug)
    version = bot.newest_shown
    kept = version.records.select_related("backtest__market") if version else BotRecord.objects.none()
    found = {record.kind: record for record in kept.defer("backtest__report", "backtest__log")}
    runs = version.subscriptions.forward_runs() if version else Subscription.objects.none()
    run = runs.select_related("market", "position").first()
    backtest, forward = found.get(BotRecord.Kind.BACKTEST), found.get(BotRecord.Kind.FORWARD)
    against = version and cautions(bot, version, run=run, backtest=backtest, forward=forward)
    is_part = "HX-Request" in request.headers
    context = {
        "bot": bot,
        "is_part": is_part,
        "cautions": against,
        "version": version,
        "is_offered": _is_offered(bot, version),
        "others": _others(bot, version),
        "backtest": backtest and backtest_record(backtest),
        "subscribers": found.get(BotRecord.Kind.SUBSCRIBERS),
        "forward": run and forward_record(run, forward),
        "promises": promises(bot, backtest, forward),
    }
    return render(request, f"execution/bot_records.html{'#records' if is_part else ''}", context)


def _is_offered(bot: Bot, version: BotVersion | None) -> bool:
    is_published = version is not None and version.state == BotVersion.State.PUBLISHED
    return is_published and bot.state == Bot.State.LISTED


def _others(bot: Bot, shown: BotVersion | None) -> list[tuple[BotVersion, BotRecord | None]]:
    """What else of the bot was ever offered, the newest first, with what it made on paper."""
    on_paper = BotRecord.objects.filter(kind=BotRecord.Kind.FORWARD, measured_at__isnull=False)
    others = bot.versions.ever_published().exclude(pk=shown.pk if shown else 0).order_by("-created_at", "-pk")
    found = others.prefetch_related(Prefetch("records", queryset=on_paper))
    return [(each, next(iter(each.records.all()), None)) for each in found[:MOST_OTHERS]]


@require_safe
def statistics(request: HttpRequest) -> HttpResponse:
    """What came of all bots that were ever published here."""
    bots, versions = bots_by_fate(), versions_by_state()
    context = {
        "bots": bots,
        "bot_count": sum(bots.values()),
        "versions": versions,
        "version_count": sum(versions.values()),
        "records": [
            ("On paper since publication", results(BotRecord.Kind.FORWARD)),
            ("Backtest by the marketplace", results(BotRecord.Kind.BACKTEST)),
        ],
        "fewest_days": FEWEST_DAYS,
    }
    return render(request, "execution/statistics.html", context)
