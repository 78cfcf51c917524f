"""Pages and buttons with which a trader begins, pauses, resumes and ends a subscription."""

from collections.abc import Callable, Mapping

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from bot_sdk.parameters import ConfigError
from bots.models import Bot
from exchanges.models import ExchangeAccount, Market
from subscriptions import lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.forms import PairSearchForm, SubscribeForm
from subscriptions.models import Subscription

PAIRS_SHOWN = 30  # suggestions; typing narrows them


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
    version = bot.versions.published().latest("created_at", "pk")
    exchanges = Market.objects.tradable().order_by("exchange").values_list("exchange", flat=True).distinct()
    data = request.POST if request.method == "POST" else None
    accounts = ExchangeAccount.objects.of(request.user).order_by("label")
    form = SubscribeForm(data, version=version, exchanges=list(exchanges), accounts=accounts)
    subscription = _start(request, bot, form) if form.is_valid() else None
    if subscription:
        messages.success(request, f"{bot.name} is active. It decides at the close of the next candle.")
        return redirect(subscription)
    chosen_exchange = form["exchange_type"].value()
    context = {
        "bot": bot,
        "version": version,
        "form": form,
        "pairs": _suggestions({"exchange_type": chosen_exchange}),
    }
    return render(request, "subscriptions/subscribe.html", context)


@login_required
@require_safe
def pairs(request: HttpRequest) -> HttpResponse:
    """Suggest pairs of the chosen exchange that begin with what is typed, as `<option>` elements."""
    return render(request, "subscriptions/subscribe.html#pairs", {"pairs": _suggestions(request.GET)})


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


def _start(request: HttpRequest, bot: Bot, form: SubscribeForm) -> Subscription | None:
    """Subscribe with the valid form; None when it was refused and the form now says why."""
    assert isinstance(request.user, User)
    try:
        return lifecycle.subscribe(trader=request.user, bot=bot, **form.choices)
    except ConfigError as error:
        form.show(error.problems)
    except SubscriptionError as error:
        form.add_error(None, str(error))
    return None


def _suggestions(chosen: Mapping[str, str]) -> list[str]:
    search = PairSearchForm(chosen)
    if not search.is_valid():
        return []
    found = Market.objects.tradable().filter(
        exchange=search.cleaned_data["exchange_type"],
        trading_pair__istartswith=search.cleaned_data["trading_pair"],
    )
    return list(found.order_by("trading_pair").values_list("trading_pair", flat=True)[:PAIRS_SHOWN])


def _change(request: HttpRequest, pk: int, change: Callable[..., Subscription], message: str) -> HttpResponse:
    subscription = get_object_or_404(Subscription.objects.of(request.user), pk=pk)
    try:
        change(subscription=subscription)
    except SubscriptionError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, message)
    return redirect(subscription)
