"""Pages and buttons with which a trader begins, changes, pauses, resumes and ends a subscription."""

from collections.abc import Callable, Mapping
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from bot_sdk.configs import RiskConfig
from bot_sdk.effective_limits import effective
from bot_sdk.parameters import ConfigError
from bot_sdk.timeframes import next_close
from bots.models import Bot, BotVersion
from exchanges.models import ExchangeAccount
from subscriptions import changing, lifecycle
from subscriptions.errors import StaffDoNotTrade, SubscriptionError
from subscriptions.forms import (
    LONGEST_INTEGER,
    PairSearchForm,
    SettingsForm,
    SubscribeForm,
    TradingForm,
    initial_settings,
)
from subscriptions.models import Subscription
from subscriptions.platform_limits import platform_limits
from subscriptions.risk_words import risk_sentences
from subscriptions.setting_words import differences


def _uses_real_money(request: HttpRequest) -> bool:
    """Whether the account that is chosen in the form is a live one of the person's own."""
    chosen = request.POST.get("account", "")
    if not chosen.isascii() or not chosen.isdigit():
        return False
    live = ExchangeAccount.objects.of(request.user).filter(environment=ExchangeAccount.Environment.LIVE)
    return live.filter(pk=chosen).exists()


@login_required
@reauthentication_required(allow_get=True, enabled=_uses_real_money)
def subscribe(request: HttpRequest, slug: str) -> HttpResponse:
    bot = get_object_or_404(Bot.objects.published().select_related("developer"), slug=slug)
    try:
        lifecycle.refuse_staff(_person(request))
    except StaffDoNotTrade as error:
        raise PermissionDenied(str(error)) from error
    version = bot.versions.published().latest("created_at", "pk")
    data = request.POST if request.method == "POST" else None
    accounts = ExchangeAccount.objects.of(request.user).order_by("label")
    form = SubscribeForm(data, version=version, accounts=accounts, initial=_initial(request, version))
    subscription = _start(request, bot, form) if form.is_valid() else None
    if subscription:
        messages.success(request, f"{bot.name} is active. It decides at the close of the next candle.")
        return redirect(subscription)
    context = {"bot": bot, "version": version, "form": form, "pairs": form.pairs()}
    return render(request, "subscriptions/subscribe.html", context)


@login_required
@require_safe
def pairs(request: HttpRequest) -> HttpResponse:
    """Suggest pairs of the chosen exchange that begin with what is typed, as `<option>` elements."""
    suggested = PairSearchForm(request.GET).pairs()
    return render(request, "components/market_fields.html#pairs", {"pairs": suggested})


@login_required
@require_safe
def form_of_version(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    """The part of a developer's page that shows what traders will set on a version, and with which limits."""
    version = get_object_or_404(BotVersion.objects.by(request.user), bot__slug=slug, number=number)
    form = TradingForm(version=version)
    for field in form.fields.values():
        field.disabled = True
    return render(request, "subscriptions/form_of_version.html", {"version": version, "form": form})


@login_required
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what another version would change, and have it when that is wanted."""
    found = _own(request, pk)
    versions = changing.versions_to_move_to(found)
    number = (request.POST if request.method == "POST" else request.GET).get("to")
    chosen = next((each for each in versions if each.number == number), None) if number else None
    if request.method == "POST" and chosen is not None:
        try:
            changing.move(subscription=found, to=chosen, revision=_revision(request))
        except SubscriptionError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{chosen.number} decides from the next candle on.")
            return redirect(found)
    shown = chosen or next(iter(versions), None)
    context = {
        "subscription": found,
        "versions": versions,
        "is_missing": bool(number) and chosen is None,
        "version": shown,
    }
    if shown is not None:
        context["differences"] = differences(changing.settings_of(found), changing.moved(found, shown))
        context["limits"] = changing.limits_not_taken_over(found, shown)
        context["holds_from"] = next_close(found.timeframe, timezone.now())
    return render(request, "subscriptions/move.html", context)


@login_required
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """The settings in a form; then what would change; then it is changed."""
    found = _own(request, pk)
    current = changing.settings_of(found)
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(data, version=found.version, initial=initial_settings(**found.documents))
    context: dict[str, Any] = {"subscription": found, "form": form}
    if data is not None and form.is_valid():
        try:
            planned = changing.changed(found, **form.configs)
            if data.get("step") == "store":
                changing.change(subscription=found, revision=_revision(request), **form.configs)
                messages.success(request, "Changed. It holds from the next candle on.")
                return redirect(found)
        except ConfigError as error:
            form.show(error.problems)
        except SubscriptionError as error:
            form.add_error(None, str(error))
        else:
            if data.get("step") != "edit":
                context["differences"] = differences(current, planned)
                context["holds_from"] = next_close(found.timeframe, timezone.now())
                context["loss"] = _loss(found, planned.risk_config)
    return render(request, "subscriptions/change.html", context)


@login_required
@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, lifecycle.pause, "Paused: the bot decides nothing until you resume it.")


@login_required
@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, lifecycle.resume, "Resumed: the bot decides again from the next candle on.")


@login_required
@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, lifecycle.stop, "Stopped for good. Its record stays here.")


def _initial(request: HttpRequest, version: BotVersion) -> dict[str, Any]:
    """What the form of a new subscription begins with: that of `?like=`, one of the person's own."""
    like = request.GET.get("like", "")
    if not like:
        return {}
    if not (like.isascii() and like.isdigit() and len(like) <= LONGEST_INTEGER):
        raise Http404
    model = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=like, bot=version.bot_id)
    documents = model.documents | {"strategy_config": changing.moved(model, version).strategy_config}
    return {
        "exchange_type": model.market.exchange,
        "trading_pair": model.market.trading_pair,
        "timeframe": model.timeframe,
        "account": model.account_id,
        "allocated_capital": model.allocated_capital,
        **initial_settings(**documents),
    }


def _own(request: HttpRequest, pk: int) -> Subscription:
    return get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)


def _loss(found: Subscription, risk_config: Mapping[str, Any]) -> list[str]:
    """What it can lose with these limits, in words."""
    risk = effective(RiskConfig.parse(risk_config), platform_limits())
    return risk_sentences(
        capital=found.allocated_capital, risk=risk, market=found.market, account=found.account
    )


def _revision(request: HttpRequest) -> int:
    """The subscription's as the page showed it; -1, which none has, for nonsense."""
    sent = request.POST.get("revision", "")
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < LONGEST_INTEGER else -1


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _start(request: HttpRequest, bot: Bot, form: SubscribeForm) -> Subscription | None:
    """Subscribe with the valid form; None when it was refused and the form now says why."""
    try:
        return lifecycle.subscribe(trader=_person(request), bot=bot, **form.choices)
    except ConfigError as error:
        form.show(error.problems)
    except SubscriptionError as error:
        form.add_error(None, str(error))
    return None


def _change(
    request: HttpRequest, pk: int, operation: Callable[..., Subscription], message: str
) -> HttpResponse:
    subscription = get_object_or_404(Subscription.objects.of(request.user), pk=pk)
    try:
        operation(subscription=subscription)
    except SubscriptionError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, message)
    return redirect(subscription)
