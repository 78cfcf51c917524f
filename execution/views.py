"""The pages on which a trader watches bots at work, and the button that runs one now."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Max, Sum
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import conditional_page, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts import second_factor
from accounts.confirming import has_given_password
from accounts.models import User
from bot_sdk.parameters import ConfigError
from exchanges.models import ExchangeAccount
from execution import protection
from execution.charts import chart_data
from execution.closing import sell_and_stop
from execution.envelope import quotes_of, together_of
from execution.errors import AlreadyDecided, NotRunning, QueueUnavailable, TooOld
from execution.forms import EnvelopeForm, StateForm
from execution.models import NOT_FINAL, Cycle, Order, SubscriptionPerformance
from execution.overview import Overview, overview
from execution.performance_words import performance_page
from execution.progress import ORDERS_SHOWN, next_run_at, page_of_cycles, token
from execution.run_now import run_now
from execution.valuation import newest_prices, value
from execution.words import SKIPS
from subscriptions import changing, switches
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription, SubscriptionQuerySet, TradingState
from subscriptions.real_money import asks_before_widening, asks_who_it_is

CYCLES_PER_PAGE = 25
SKIPS_SHOWN = timedelta(days=30)

STATE_IS_SET = {
    TradingState.ACTIVE: "Your bots trade normally again.",
    TradingState.REDUCING: "Your bots only sell now: nothing is bought.",
    TradingState.HALTED: "Your bots order nothing any more, and no stop acts. What is held stays.",
}

View = Callable[..., HttpResponse]


def reload_when_signed_out(view: View) -> View:
    """Answer a polling page whose session has ended by a reload, which leads to the sign-in page."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "HX-Request" in request.headers and not request.user.is_authenticated:
            return HttpResponseClientRefresh()
        return view(request, *args, **kwargs)

    return answer


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "execution/dashboard.html", {"overview": _overview(request)})


@reload_when_signed_out
@login_required
@require_safe
def dashboard_live(request: HttpRequest) -> HttpResponse:
    """The dashboard's parts that change; 204 while they would look as `?seen=` says."""
    shown = _overview(request)
    if request.GET.get("seen") == shown.token:
        return HttpResponse(status=204)
    return render(request, "execution/dashboard.html#live", {"overview": shown})


@login_required
@require_safe
def subscription(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(_watched(request).select_related("performance"), pk=pk)
    measured: SubscriptionPerformance | None = getattr(found, "performance", None)
    performance = measured and performance_page(measured, found.market.quote)
    versions = changing.versions_to_move_to(found)
    more = {
        "performance": performance,
        "versions": versions,
        "changes": found.changes.all(),
        "gone_live": found.gone_live.select_related("account"),
    }
    return render(request, "execution/subscription.html", _page(request, found) | more)


@reload_when_signed_out
@login_required
@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The parts of the subscription's page that change; 204 while it would look as `?seen=` says."""
    found = get_object_or_404(_watched(request), pk=pk)
    price = newest_prices([found]).get(found.pk)
    standing = switches.standing_of(found.trader_id)
    if request.GET.get("seen") == token(found, price, timezone.now(), standing):
        return HttpResponse(status=204)
    return render(request, "execution/subscription.html#news", _page(request, found))


@login_required
@require_safe
@conditional_page
def chart(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)
    return JsonResponse(chart_data(found))


@login_required
@require_safe
def skips(request: HttpRequest, pk: int) -> HttpResponse:
    """The skip ledger: every wish that became no order, with its reason, and how often each came."""
    found = get_object_or_404(_watched(request), pk=pk)
    since = timezone.now() - SKIPS_SHOWN
    skipped = Cycle.objects.of(found).filter(candle_opened_at__gte=since).exclude(skip="")
    counts = skipped.order_by().values_list("skip").annotate(count=Count("pk"))
    code = request.GET.get("reason", "")
    chosen = skipped.filter(skip=code) if code in SKIPS else skipped
    context = {
        "subscription": found,
        "counts": list(counts.order_by("-count", "skip")),
        "code": code,
        "cycles": Paginator(chosen, CYCLES_PER_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "execution/skips.html", context)


@login_required
@require_POST
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the newest closed candle decided now, if it is not decided yet."""
    found = get_object_or_404(Subscription.objects.of(request.user), pk=pk)
    try:
        run_now(subscription=found)
    except (AlreadyDecided, TooOld) as error:
        messages.info(request, str(error))
    except (NotRunning, QueueUnavailable) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The bot runs now. What it decides appears here in a few seconds.")
    return redirect(found)


@reload_when_signed_out
@login_required
@require_safe
def reconciliation(request: HttpRequest, pk: int) -> HttpResponse:
    """How one exchange account last compared with our books: a part of the account's own page."""
    account = get_object_or_404(ExchangeAccount.objects.of(request.user), pk=pk)
    context = {"account": account, "newest": account.reconciliations.first()}
    return render(request, "execution/reconciliations.html#newest", context)


@login_required
@require_safe
def reconciliations(request: HttpRequest, pk: int) -> HttpResponse:
    account = get_object_or_404(ExchangeAccount.objects.of(request.user), pk=pk)
    context = {"account": account, "reconciliations": account.reconciliations.all()}
    return render(request, "execution/reconciliations.html", context)


@asks_who_it_is()
@require_POST
def lift_halt(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the bot buy again after its drawdown limit has halted it."""
    found = get_object_or_404(_watched(request), pk=pk)
    price = newest_prices([found]).get(found.pk)
    if price is None:
        messages.error(request, "No candle of this market is stored, so what you hold has no known worth.")
    else:
        protection.lift_halt(subscription=found, bid=price.value)
        messages.success(request, "The halt is lifted. The drawdown is measured anew from today's equity.")
    return redirect(found)


@login_required
@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop the subscription, and have sold what it holds."""
    found = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)
    try:
        sell_and_stop(subscription=found)
    except SubscriptionError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "What is held is sold now; then the subscription is stopped for good.")
    return redirect(found)


@login_required
@require_safe
def limits(request: HttpRequest) -> HttpResponse:
    """How far all bots of a person may trade together, with the figures of now."""
    return render(request, "execution/limits.html", _limits(_person(request)))


@asks_before_widening
@require_POST
def set_state(request: HttpRequest) -> HttpResponse:
    form = StateForm(request.POST)
    if form.is_valid():
        state = TradingState(form.cleaned_data["state"])
        switches.set_trader_state(
            trader=_person(request),
            state=state,
            reason=form.cleaned_data["reason"],
            has_shown_who=has_given_password(request),
        )
        messages.success(request, STATE_IS_SET[state])
    else:
        messages.error(request, "Choose one of the three: trade normally, only sell, or stop all trading.")
    return redirect("execution:limits")


@asks_before_widening
@require_POST
def set_envelope(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    form = EnvelopeForm(request.POST, quotes=quotes_of(person))
    if form.is_valid():
        try:
            has_shown_who = has_given_password(request)
            switches.set_envelope(trader=person, has_shown_who=has_shown_who, **form.cleaned_data)
        except ConfigError as error:
            for name, problem in error.problems.items():
                form.add_error(name, problem)
        else:
            messages.success(request, f"Your limits in {form.cleaned_data['quote']} are set.")
            return redirect("execution:limits")
    return render(request, "execution/limits.html", _limits(person, form))


@second_factor.required_of_staff
def platform(request: HttpRequest) -> HttpResponse:
    """For staff: how far everybody's bots may trade."""
    person = _person(request)
    if not person.has_perm("subscriptions.change_tradingswitch"):
        raise Http404
    form = StateForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        state = TradingState(form.cleaned_data["state"])
        try:
            switches.set_platform_state(state=state, reason=form.cleaned_data["reason"], by=person)
        except SubscriptionError as error:
            form.add_error("reason", str(error))
        else:
            messages.success(request, "Set. No order that it forbids goes out any more.")
            return redirect("execution:platform")
    context = {"form": form, "switch": switches.platform_switch(), "states": TradingState}
    return render(request, "execution/platform.html", context)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _overview(request: HttpRequest) -> Overview:
    return overview(
        _person(request),
        timezone.now(),
        shows_stopped=request.GET.get("show") == "stopped",
        page=request.GET.get("page"),
    )


def _limits(person: User, refused: EnvelopeForm | None = None) -> dict[str, Any]:
    standing, own = switches.standing_of(person.pk), switches.own_switch(person)
    envelopes = {envelope.quote: envelope for envelope in person.envelopes.all()}
    quotes = quotes_of(person)
    rows = []
    for quote in quotes:
        is_refused = refused is not None and refused.data.get("quote") == quote
        form = refused if is_refused else EnvelopeForm.of(envelopes.get(quote), quote, quotes)
        sums = [("On paper", together_of(person, quote, is_on_paper=True))]
        sums.append(("At exchanges", together_of(person, quote, is_on_paper=False)))
        rows.append((quote, form, sums))
    return {"standing": standing, "own": own, "rows": rows, "states": TradingState}


def _watched(request: HttpRequest) -> SubscriptionQuerySet:
    return Subscription.objects.of(request.user).with_names().select_related("position")


def _page(request: HttpRequest, found: Subscription) -> dict[str, Any]:
    now = timezone.now()
    price = newest_prices([found]).get(found.pk)
    is_running = Subscription.objects.active().filter(pk=found.pk).exists()
    is_stopped = found.state == Subscription.State.STOPPED
    standing = switches.standing_of(found.trader_id)
    cycles = Cycle.objects.of(found).select_related("subscription__market", "order")
    with_fills = Order.objects.filter(subscription=found).annotate(
        filled_amount=Sum("fills__amount"),
        cost=Sum("fills__cost"),
        fee=Sum("fills__fee"),
        fee_currency=Max("fills__fee_currency"),
        price=Sum("fills__cost") / Sum("fills__amount"),
        filled_at=Max("fills__filled_at"),
    )
    # grouping drops the model's own order
    orders = with_fills.select_related("subscription__market").order_by("-created_at", "-pk")
    return {
        "subscription": found,
        "valuation": value(found, price),
        "token": token(found, price, now, standing),
        "next_run_at": next_run_at(found.timeframe, now) if is_running else None,
        "standing": standing,
        "stops_act": is_running and not standing.is_halted,
        "protection": protection.protection_of(found, now, is_running=is_running, standing=standing),
        "is_halted": not is_stopped and hasattr(found, "position") and found.position.past.is_halted,
        "cycles": page_of_cycles(cycles, request.GET.get("page")),
        "open_orders": orders.filter(state__in=NOT_FINAL),
        "orders": orders.exclude(state__in=NOT_FINAL)[:ORDERS_SHOWN],
        "orders_shown": ORDERS_SHOWN,
        "parameters": _parameters(found),
        "is_stopped": is_stopped,
        "is_live": not is_stopped or cycles.filter(state=Cycle.State.RUNNING).exists(),
    }


def _parameters(found: Subscription) -> list[tuple[str, Any]]:
    declared = found.version.declared_parameters
    return [(each.label or each.name, found.strategy_config.get(each.name)) for each in declared]
