"""Pages and buttons with which a trader begins, changes, pauses, resumes and ends a subscription."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from bot_sdk.configs import RiskConfig
from bot_sdk.effective_limits import effective
from bot_sdk.parameters import ConfigError
from bot_sdk.timeframes import next_close
from bots.models import BotVersion
from subscriptions import changing, lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.forms import (
    SettingsForm,
    TradingForm,
    initial_settings,
    revision_in,
)
from subscriptions.models import Subscription
from subscriptions.platform_limits import platform_limits
from subscriptions.real_money import asks_who_it_is
from subscriptions.risk_words import risk_sentences
from subscriptions.setting_words import differences
from subscriptions.switches import standing_of

STORE = "store"  # the step of the settings' form that changes something


@login_required
@require_safe
def form_of_version(request: HttpRequest, slug: str, number: str) -> HttpResponse:
    """The part of a developer's page that shows what traders will set on a version, and with which limits."""
    version = get_object_or_404(BotVersion.objects.by(request.user), bot__slug=slug, number=number)
    form = TradingForm(version=version)
    for field in form.fields.values():
        field.disabled = True
    return render(request, "subscriptions/form_of_version.html", {"version": version, "form": form})


@asks_who_it_is()
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what another version would change, and have it when that is wanted."""
    found = _own(request, pk)
    versions = changing.versions_to_move_to(found)
    number = (request.POST if request.method == "POST" else request.GET).get("to")
    chosen = next((each for each in versions if each.number == number), None) if number else None
    if request.method == "POST" and chosen is not None:
        try:
            moved = changing.move(subscription=found, to=chosen, revision=revision_in(request.POST))
        except SubscriptionError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{chosen.number} decides {_when(moved)}.")
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


@asks_who_it_is(at_step=STORE)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """The settings in a form; then what would change; then it is changed."""
    found = _own(request, pk)
    current = changing.settings_of(found)
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(data, version=found.version, initial=initial_settings(**found.documents))
    context: dict[str, Any] = {"subscription": found, "form": form}
    if data is not None and "reset" in data:
        form.reset(data["reset"])
        form.keep_errors_of(())
    elif data is not None and form.is_valid():
        try:
            planned = changing.changed(found, **form.configs)
            if data.get("step") == STORE:
                revision = revision_in(request.POST)
                changed = changing.change(subscription=found, revision=revision, **form.configs)
                messages.success(request, f"Changed. It holds {_when(changed)}.")
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


@asks_who_it_is()
@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if standing_of(found.trader_id).is_halted:
        says = "Resumed. While trading is halted no order goes out, and no stop acts."
    elif found.is_asked:
        says = "Resumed: the bot decides again from the next candle on."
    else:
        says = "Resumed: its stops are watched again. The bot itself is not run now; its page says why."
    return _change(request, pk, lifecycle.resume, says)


@login_required
@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, lifecycle.stop, "Stopped for good. Its record stays here.")


def _own(request: HttpRequest, pk: int) -> Subscription:
    return get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)


def _when(found: Subscription) -> str:
    """From when on a change of it holds, in words."""
    return "once you resume it" if found.state == Subscription.State.PAUSED else "from the next candle on"


def _loss(found: Subscription, risk_config: Mapping[str, Any]) -> list[str]:
    """What it can lose with these limits, in words."""
    risk = effective(RiskConfig.parse(risk_config), platform_limits())
    return risk_sentences(
        capital=found.allocated_capital,
        risk=risk,
        market=found.market,
        account=found.account,
        has_begun=True,
    )


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
