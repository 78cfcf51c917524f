"""One decision of a bot with its receipt, made again on demand; and what another version would have said."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from execution import reruns
from execution.errors import RerunError
from execution.models import Cycle, Fill
from execution.views import reload_when_signed_out
from subscriptions import changing
from subscriptions.models import Subscription

RECEIPT_FORMAT = "decision receipt 1"

require_safe_or_post = require_http_methods(["GET", "HEAD", "POST"])


@reload_when_signed_out
@login_required
@require_safe
def cycle(request: HttpRequest, pk: int, cycle_pk: int) -> HttpResponse:
    shown = _cycle(request, pk, cycle_pk)
    fills = Fill.objects.filter(order__cycle=shown).order_by("filled_at", "pk")
    then = changing.settings_at(shown.subscription, shown.revision)
    context = _replay(shown) | {"fills": fills, "then": then, "window": _window(shown)}
    return render(request, "execution/cycle.html", context)


@reload_when_signed_out
@login_required
@require_safe_or_post
def replay(request: HttpRequest, pk: int, cycle_pk: int) -> HttpResponse:
    """Make the decision again; to GET, the part of the page that says how far it is and what came out.

    204 while it would look as `?seen=` says.
    """
    shown, problem = _cycle(request, pk, cycle_pk), ""
    if request.method == "POST":
        try:
            reruns.ask_for_replay(cycle=shown, person=_person(request))
        except RerunError as error:
            problem = str(error)
    if "HX-Request" not in request.headers:
        if problem:
            messages.error(request, problem)
        return redirect(f"{shown.get_absolute_url()}#replay")
    context = _replay(shown) | {"problem": problem}
    if context["replay"] and request.GET.get("seen") == context["replay"].state:
        return HttpResponse(status=204)
    return render(request, "execution/cycle.html#replay", context)


@login_required
@require_safe
def receipt(request: HttpRequest, pk: int, cycle_pk: int) -> HttpResponse:
    """The receipt as a file, with what it takes to check it elsewhere."""
    shown = _cycle(request, pk, cycle_pk)
    if not shown.receipt:
        raise Http404
    return JsonResponse(
        _as_file(shown),
        json_dumps_params={"indent": 2},
        headers={"Content-Disposition": f'attachment; filename="receipt-{shown.pk}.json"'},
    )


@reload_when_signed_out
@login_required
@require_safe_or_post
def comparison(request: HttpRequest, pk: int, number: str) -> HttpResponse:
    """What another version would have said at the newest decisions; asked for by POST, once for each state.

    A page, or for htmx its part; 204 while that would look as `?seen=` says.
    """
    found = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)
    offered = changing.versions_to_move_to(found)
    version = next((each for each in offered if each.number == number), None)
    if version is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        try:
            reruns.ask_for_comparison(subscription=found, version=version, person=_person(request))
        except RerunError as error:
            problem = str(error)
    known = reruns.comparison_of(found, version)
    context = {"subscription": found, "version": version, "comparison": known, "problem": problem}
    if "HX-Request" not in request.headers:
        if request.method == "POST" and not problem:
            return redirect(request.path)
        return render(request, "execution/comparison.html", context)
    if known and request.GET.get("seen") == known.state:
        return HttpResponse(status=204)
    return render(request, "execution/comparison.html#result", context)


def _cycle(request: HttpRequest, pk: int, cycle_pk: int) -> Cycle:
    mine = Subscription.objects.of(request.user).with_names().select_related("version__bot")
    subscription = get_object_or_404(mine, pk=pk)
    found = get_object_or_404(Cycle.objects.of(subscription).select_related("order"), pk=cycle_pk)
    found.subscription = subscription
    return found


def _replay(shown: Cycle) -> dict[str, Any]:
    """Return what the part with the replay shows."""
    newest = shown.replays.first()
    differences = newest.differences if newest else []
    return {
        "subscription": shown.subscription,
        "cycle": shown,
        "replay": newest,
        "inputs": [each for each in differences if each["is_input"]],
        "answers": [each for each in differences if not each["is_input"]],
        "can_be_replayed": reruns.can_be_replayed(shown),
    }


def _window(shown: Cycle) -> dict[str, Any] | None:
    """Return what the bot's window held, with times; None where that was not kept."""
    candles = shown.receipt.get("candles", {})
    if not candles.get("first"):
        return None
    times = {name: datetime.fromisoformat(candles[name]) for name in ("first", "last", "since")}
    return {"count": candles["count"], **times}


def _as_file(shown: Cycle) -> dict[str, Any]:
    subscription = shown.subscription
    return {
        "format": RECEIPT_FORMAT,
        "bot": subscription.bot.name,
        "exchange": subscription.market.exchange,
        "trading_pair": subscription.market.trading_pair,
        "timeframe": subscription.timeframe,
        "candle_opened_at": shown.candle_opened_at,
        "candle_closed_at": shown.candle_closed_at,
        "receipt_sha256": shown.inputs,
        "receipt": shown.receipt,
        "asked": shown.asked,
        "is_shared": shown.is_shared,
        "answer": {
            "verdict": shown.verdict,
            "action": shown.action,
            "value": shown.value,
            "reason": shown.reason,
            "message": shown.message,
        },
        "signal": {
            "action": shown.signal_action,
            "source": shown.signal_source,
            "reason": shown.signal_reason,
            "skip": shown.skip,
        },
        "price": shown.price,
        "bot_seconds": shown.bot_seconds,
        "bot_cpu_seconds": shown.bot_cpu_seconds,
        "bot_peak_memory_mb": shown.bot_peak_memory_mb,
        "log": shown.log,
    }


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
