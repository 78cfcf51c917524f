"""The pages of backtests: ask for one, see how far it is, read what came out, compare two, share one."""

from collections import Counter
from collections.abc import Mapping
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import FloatField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import conditional_page, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import User
from bot_sdk.metric_table import CONVENTION
from bot_sdk.parameters import ConfigError
from bots.models import Bot, BotVersion
from execution import backtest_requests
from execution.backtest_forms import BacktestForm, values_of
from execution.backtest_results import (
    TRADE_COLUMNS,
    chart_data,
    compared_metrics,
    compared_settings,
    drawdowns_of,
    metrics_of,
    settings_of,
    sorted_trades,
    trades_csv,
    years_of,
)
from execution.errors import BacktestError
from execution.metric_rows import by_group
from execution.models import Backtest, BacktestQuerySet
from execution.views import View
from subscriptions.subscribe_views import begin_like

BACKTESTS_PER_PAGE = 20
TRADES_PER_PAGE = 10
GROUPS_AT_ONCE = 2  # of figures that are compared: returns and risks; the others are a tap away
YEARS_AT_ONCE = 3  # of monthly returns, the newest; those before are a tap away
OTHERS_OFFERED = 20  # to compare with, the newest


def sign_in_to_see(view: View) -> View:
    """Have whoever is not signed in do so when nothing shared answers: what they ask for may be their own."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Http404:
            if request.user.is_authenticated:
                raise
        if "HX-Request" in request.headers:
            return HttpResponseClientRefresh()
        return redirect_to_login(request.get_full_path())

    return answer


@login_required
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """The form of a backtest; `?again=<id>` fills it in as that one was, `?version=` names the version."""
    bot = get_object_or_404(Bot.objects.published(), slug=slug)
    versions = list(bot.versions.published().select_related("bot").order_by("-created_at", "-pk"))
    again = _again(request, bot)
    given = request.POST if request.method == "POST" else request.GET
    number = given.get("version", again.version.number if again else "")
    version = next((each for each in versions if each.number == number), versions[0])
    form = BacktestForm(
        request.POST if request.method == "POST" else None,
        versions=versions,
        version=version,
        initial=values_of(again) | {"version": version.number} if again else None,
    )
    if "reset" in request.POST:
        form.reset(request.POST["reset"])
        form.keep_errors_of(())
    elif form.is_valid() and (backtest := _begin(request, version, form)):
        return redirect(backtest)
    context = {"bot": bot, "version": version, "form": form, "pairs": form.pairs(), "again": again}
    return render(request, "execution/backtest_form.html", context)


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    mine = Backtest.objects.of(request.user).with_names()
    figures = mine.annotate(
        return_percent=Cast(KT("report__summary__return_percent"), FloatField()),
        drawdown_percent=Cast(KT("report__metrics__max_drawdown_percent"), FloatField()),
    )
    page = Paginator(figures, BACKTESTS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "execution/backtests.html", {"backtests": page})


@sign_in_to_see
@require_safe
def backtest(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far it is, or what came out of it. Of its trades only the list when htmx asks for another part."""
    found = _shown(request, pk)
    context = _result(request, found) if found.report else {}
    context |= _frame(request, found)
    if found.report and "HX-Request" in request.headers:
        return render(request, "execution/backtest.html#trades", context)
    return render(request, "execution/backtest.html", context)


@sign_in_to_see
@require_safe
def live(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far it is; 204 while that is as `?seen=` says, and a reload once it is finished."""
    found = get_object_or_404(Backtest.objects.shown_to(request.user).with_names(), pk=pk)
    if found.is_finished:
        return HttpResponseClientRefresh()
    if request.GET.get("seen") == _token(found):
        return HttpResponse(status=204)
    return render(request, "execution/backtest.html#live", _frame(request, found))


@sign_in_to_see
@require_safe
@conditional_page
def chart(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _shown(request, pk)
    if found.report is None:
        raise Http404
    return JsonResponse(chart_data(found))


@sign_in_to_see
@require_safe
def trades(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All closed trades as a file for spreadsheets."""
    found = _shown(request, pk)
    if found.report is None:
        raise Http404
    name = f"trades-{found.version.bot.slug}-{found.begins_at:%Y%m%d}-{found.ends_at:%Y%m%d}.csv"
    return HttpResponse(
        trades_csv(found.report),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@sign_in_to_see
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two backtests side by side, `?a=<id>&b=<id>`; `?run=` twice leads there from a list of them."""
    chosen = request.GET.getlist("run")
    if chosen:
        if len(set(chosen)) != 2:
            messages.error(request, "Choose two backtests to compare, no more and no fewer.")
            return redirect("execution:backtests")
        return redirect(f"{request.path}?a={chosen[0]}&b={chosen[1]}")
    one, other = (_shown(request, _id(request.GET.get(name))) for name in ("a", "b"))
    has_both = one.report is not None and other.report is not None
    groups = list(compared_metrics(one, other).items()) if has_both else []
    settings = compared_settings(one, other)
    context = {
        "a": one,
        "b": other,
        "has_both": has_both,
        "groups": groups[:GROUPS_AT_ONCE],
        "more_groups": groups[GROUPS_AT_ONCE:],
        "differing": _settings(settings, are_same=False),
        "same": _settings(settings, are_same=True),
        "convention": CONVENTION,
    }
    return render(request, "execution/backtest_compare.html", context)


def _settings(
    compared: Mapping[str, list[tuple[str, str, str]]], *, are_same: bool
) -> dict[str, list[tuple[str, str, str]]]:
    """Return those settings that are the same in both runs, or those that are not, under their headings."""
    chosen = {
        heading: [row for row in rows if (row[1] == row[2]) == are_same] for heading, rows in compared.items()
    }
    return {heading: rows for heading, rows in chosen.items() if rows}


@login_required
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = backtest_requests.cancel(backtest=_mine(request, pk))
    if not found.is_finished:
        messages.info(request, "It ends in a moment, and keeps what it has found so far.")
    return redirect(found)


@login_required
@require_POST
def share(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = backtest_requests.share(backtest=_mine(request, pk), is_shared="is_shared" in request.POST)
    shared = "Whoever has the link may read it now."
    messages.success(request, shared if found.is_shared else "Nobody but you may read it now.")
    return redirect(found)


@login_required
@require_POST
def subscribe(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Fill the form of a new subscription in with the settings of a backtest."""
    found = _shown(request, pk)
    return begin_like(
        request,
        bot_pk=found.version.bot_id,
        market=found.market,
        timeframe=found.timeframe,
        allocated_capital=found.capital,
        documents={
            "strategy_config": found.strategy_config,
            "execution_config": found.execution_config,
            "risk_config": found.risk_config,
        },
    )


def _shown(request: HttpRequest, pk: UUID) -> Backtest:
    of_all = Backtest.objects.select_related("version__bot", "market")
    return get_object_or_404(of_all.shown_to(request.user), pk=pk)


def _mine(request: HttpRequest, pk: UUID) -> Backtest:
    return get_object_or_404(Backtest.objects.of(request.user).with_names(), pk=pk)


def _id(text: str | None) -> UUID:
    """Return the id that a query string names; what is none is not found either."""
    try:
        return UUID(text or "")
    except ValueError:
        raise Http404 from None


def _again(request: HttpRequest, bot: Bot) -> Backtest | None:
    """Return the backtest that is to be run again with changes, when it is one of this bot."""
    if "again" not in request.GET:
        return None
    mine_or_shared = Backtest.objects.shown_to(request.user).with_names().filter(version__bot=bot)
    return get_object_or_404(mine_or_shared, pk=_id(request.GET["again"]))


def _begin(request: HttpRequest, version: BotVersion, form: BacktestForm) -> Backtest | None:
    """Ask for a backtest with the valid form; None when it was refused and the form now says why."""
    assert isinstance(request.user, User)
    try:
        return backtest_requests.request(person=request.user, version=version, wish=form.wish)
    except ConfigError as error:
        form.show(error.problems)
    except BacktestError as error:
        form.add_error(None, str(error))
    return None


def _token(found: Backtest) -> str:
    return f"{found.state}-{found.doing}-{found.progress_percent}-{found.is_cancel_wanted}"


def _frame(request: HttpRequest, found: Backtest) -> dict[str, Any]:
    """Return what the page shows of a backtest however far it is."""
    return {
        "backtest": found,
        "token": _token(found),
        "is_mine": request.user.is_authenticated and found.requested_by_id == request.user.pk,
        "ahead": Backtest.objects.ahead_of(found).count() if found.state == Backtest.State.QUEUED else 0,
        "link": settings.PUBLIC_URL + found.get_absolute_url(),
        "is_offered": Bot.objects.published().filter(pk=found.version.bot_id).exists(),
        "settings": settings_of(found),
    }


def _result(request: HttpRequest, found: Backtest) -> dict[str, Any]:
    assert found.report is not None
    metrics, years = metrics_of(found), years_of(found.report)
    order = _order(request.GET.get("sort", ""))
    closed = sorted_trades(found.report, order)
    return {
        "report": found.report,
        "metrics": metrics,
        "groups": by_group(metrics),
        "convention": CONVENTION,
        "earlier_years": years[:-YEARS_AT_ONCE],
        "years": years[-YEARS_AT_ONCE:],
        "skips": Counter(found.report["summary"]["skips"]).most_common(),
        "drawdowns": drawdowns_of(found.report),
        "trades": Paginator(closed, TRADES_PER_PAGE).get_page(request.GET.get("page")),
        "columns": TRADE_COLUMNS,
        "order": order,
        "others": _others(request, found),
    }


def _order(wanted: str) -> str:
    return wanted if wanted.removeprefix("-") in TRADE_COLUMNS else "opened_at"


def _others(request: HttpRequest, found: Backtest) -> BacktestQuerySet:
    """The person's own finished backtests that this one can be compared with."""
    mine = Backtest.objects.of(request.user).with_names().exclude(pk=found.pk)
    return mine.filter(report__isnull=False)[:OTHERS_OFFERED]
