"""The records of a bot: a page of their own, and the part of the bot's page that htmx pulls in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from bots.views import readable_bots
from execution.market_statistics import FEWEST_DAYS, bots_by_fate, results, versions_by_state
from execution.models import BotRecord
from execution.record_words import backtest_record, forward_record, promises


@require_safe
@vary_on_headers("HX-Request")
def records(request: HttpRequest, slug: str) -> HttpResponse:
    bot = get_object_or_404(readable_bots(request), slug=slug)
    version = bot.current_version
    kept = version.records.select_related("backtest__market") if version else BotRecord.objects.none()
    found = {record.kind: record for record in kept.defer("backtest__report", "backtest__log")}
    run = version and version.subscriptions.forward_runs().select_related("market").first()
    backtest, forward = found.get(BotRecord.Kind.BACKTEST), found.get(BotRecord.Kind.FORWARD)
    context = {
        "bot": bot,
        "version": version,
        "backtest": backtest and backtest_record(backtest),
        "subscribers": found.get(BotRecord.Kind.SUBSCRIBERS),
        "forward": run and forward_record(run, forward),
        "promises": promises(bot, backtest, forward),
    }
    part = "#records" if "HX-Request" in request.headers else ""
    return render(request, f"execution/bot_records.html{part}", context)


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
