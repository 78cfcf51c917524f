"""The page on which a trader takes live what they tried without real money."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.account.decorators import reauthentication_required
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from bot_sdk.parameters import ConfigError
from exchanges.models import ExchangeAccount, ExchangeAccountQuerySet
from exchanges.templatetags.amounts import plain
from execution.models import Order
from execution.valuation import Valuation, newest_prices, value
from subscriptions import going_live
from subscriptions.errors import SubscriptionError
from subscriptions.forms import AccountField, AmountField, revision_in
from subscriptions.models import Subscription

SHORT_TRIAL = timedelta(days=14)


class ChoiceForm(forms.Form):
    """What the figures of the page are for."""

    account = AccountField(
        label="Account with real money", queryset=ExchangeAccount.objects.none(), empty_label=None
    )
    allocated_capital = AmountField(
        label="Capital in real money",
        help_text="What it may use and nothing else may. Begin with what you can afford to lose.",
    )

    def __init__(self, *args: Any, accounts: ExchangeAccountQuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account = self.fields["account"]
        assert isinstance(account, AccountField)
        account.queryset = accounts


class LiveForm(ChoiceForm):
    """The same, and that the trader means it."""

    is_confirmed = forms.BooleanField(label=going_live.CONFIRMATION, required=False)
    stops_rehearsal = forms.BooleanField(
        label="Stop the one without real money now; its record stays", required=False
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """How a subscription has done without real money."""

    began_at: datetime
    days: int
    order_count: int
    valuation: Valuation

    @property
    def is_short(self) -> bool:
        return timedelta(days=self.days) < SHORT_TRIAL


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required(enabled=lambda request: request.method == "POST")
def go_live(request: HttpRequest, pk: int) -> HttpResponse:
    own = Subscription.objects.of(request.user).with_names().select_related("position", "trader")
    found = get_object_or_404(own, pk=pk)
    try:
        going_live.refuse_others(found)
    except SubscriptionError as error:
        messages.info(request, str(error))
        return redirect(found)
    accounts = going_live.accounts_for(found)
    form = LiveForm(request.POST if request.method == "POST" else None, accounts=accounts)
    if form.is_valid():
        try:
            live = going_live.go_live(
                subscription=found,
                account=form.cleaned_data["account"],
                allocated_capital=form.cleaned_data["allocated_capital"],
                revision=revision_in(request.POST),
                version=request.POST.get("version", ""),
                is_confirmed=form.cleaned_data["is_confirmed"],
                stops_rehearsal=form.cleaned_data["stops_rehearsal"],
            )
        except ConfigError as error:
            for name, problem in error.problems.items():
                form.add_error(name if name in form.fields else None, problem)
        except SubscriptionError as error:
            form.add_error(None, str(error))
        else:
            said = (
                f"{found.bot.name} is live: it trades with real money from the close of the next candle on."
            )
            messages.success(request, said)
            return redirect(live)
    return render(request, "execution/go_live.html", _page(request, found, accounts, form))


def _page(
    request: HttpRequest, found: Subscription, accounts: ExchangeAccountQuerySet, form: LiveForm
) -> dict[str, Any]:
    first = accounts.first()
    sent = request.POST if request.method == "POST" else request.GET
    begins_with = {"account": first and first.pk, "allocated_capital": plain(found.allocated_capital)}
    choice = ChoiceForm(sent if "allocated_capital" in sent else begins_with, accounts=accounts)
    choice.full_clean()
    preview = going_live.preview(
        found,
        account=choice.cleaned_data.get("account"),
        allocated_capital=choice.cleaned_data.get("allocated_capital") or found.allocated_capital,
    )
    return {
        "subscription": found,
        "accounts": accounts,
        "choice": choice,
        "form": form,
        "preview": preview,
        "is_ready": choice.is_valid() and preview.is_ready,
        "is_switched_on": not settings.EXCHANGE_TESTNET_MODE,
        "buy_now": going_live.usual_buy(found, found.allocated_capital),
        "buy": going_live.usual_buy(found, preview.allocated_capital),
        "fee_percent": found.market.taker_fee_fraction * 100,
        "loss": preview.loss,
        "trial": _trial(found),
    }


def _trial(found: Subscription) -> Trial:
    return Trial(
        began_at=found.created_at,
        days=(timezone.now() - found.created_at).days,
        order_count=Order.objects.filter(subscription=found, state=Order.State.FILLED).count(),
        valuation=value(found, newest_prices([found]).get(found.pk)),
    )
