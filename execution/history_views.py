"""What a subscription has done so far: its closed trades, what its bot printed, and all of it as files."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts import audit, second_factor
from accounts.models import User
from bot_sdk.ledger import LedgerError
from execution import exports
from execution.models import Cycle
from execution.round_trips import trades_of
from execution.views import reload_when_signed_out
from subscriptions.models import Subscription

TRADES_PER_PAGE = 25
NEWEST_TRADES = 5  # on the subscription's page
LOGS_SHOWN = 25
CYCLES_SEARCHED = 500  # for logs, the newest
SHOWN_OF_A_LOG = 4000  # characters; the cycle's own page has all


@reload_when_signed_out
@login_required
@require_safe
def trades(request: HttpRequest, pk: int) -> HttpResponse:
    """The closed trades, the newest first; for htmx the newest few, as a part of the subscription's page."""
    found = _mine(request, pk)
    try:
        closed, problem = trades_of(found)[::-1], ""
    except LedgerError as error:
        closed, problem = [], str(error)
    context = {"subscription": found, "problem": problem}
    if "HX-Request" in request.headers:
        context |= {"trades": closed[:NEWEST_TRADES], "total": len(closed)}
        return render(request, "execution/trades.html#newest", context)
    context["trades"] = Paginator(closed, TRADES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "execution/trades.html", context)


@reload_when_signed_out
@login_required
@require_safe
def logs(request: HttpRequest, pk: int) -> HttpResponse:
    """What the bot printed in the newest cycles; for htmx its part, 204 while that is as `?seen=` says."""
    found = _mine(request, pk)
    cycles = Cycle.objects.of(found)
    newest = cycles.only("state", "candle_closed_at").first()
    seen = f"{newest.pk}-{newest.state}" if newest else ""
    is_part = "HX-Request" in request.headers
    if is_part and request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    searched = cycles.values("pk")[:CYCLES_SEARCHED]
    printed = cycles.filter(pk__in=searched).exclude(log="").select_related("subscription")
    context = {
        "subscription": found,
        "newest": newest,
        "seen": seen,
        "is_live": found.state != Subscription.State.STOPPED,
        "cycles": printed.defer("receipt", "asked")[:LOGS_SHOWN],
        "searched": CYCLES_SEARCHED,
        "cut_at": SHOWN_OF_A_LOG,
    }
    return render(request, f"execution/logs.html{'#live' if is_part else ''}", context)


@login_required
@require_safe
def file(request: HttpRequest, pk: int, what: str) -> HttpResponseBase:
    found = _exported(request, pk, what)
    try:
        return exports.as_file(found, what)
    except LedgerError as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")


def _mine(request: HttpRequest, pk: int) -> Subscription:
    return get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)


def _exported(request: HttpRequest, pk: int, what: str) -> Subscription:
    """Return what may be exported: one's own, and to superusers anybody's, which is written down."""
    user = request.user
    assert isinstance(user, User)
    if not (user.is_superuser and second_factor.is_given(request)):
        return _mine(request, pk)
    found = get_object_or_404(Subscription.objects.with_names(), pk=pk)
    audit.record(actor=user, action="subscription.export", target=found, what=what)
    return found
