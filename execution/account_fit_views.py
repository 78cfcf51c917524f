"""What a trader asks before subscribing: would this bot's signals have become orders with my account?"""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.models import User
from bot_sdk.configs import PERCENTAGE
from bot_sdk.parameters import ConfigError
from bots.models import Bot
from exchanges.models import ExchangeAccount
from execution.account_fit import fit, funds_of, newest_signals
from execution.views import reload_when_signed_out
from subscriptions import lifecycle
from subscriptions.errors import StaffDoNotTrade
from subscriptions.forms import BUY_ORDER_LABELS, AccountField, AmountField

AT_FIRST = {"capital": "1000", "buy_order_type": PERCENTAGE, "buy_order_value": "10"}


class AccountFitForm(forms.Form):
    account = AccountField(
        label="Account",
        required=False,
        queryset=ExchangeAccount.objects.none(),
        empty_label="Paper account",
    )
    capital = AmountField(
        label="Capital",
        required=False,
        help_text="In the pair's quote currency. Empty is all that is free on an account of yours.",
    )
    buy_order_type = forms.CharField(label="Each buy spends", widget=forms.Select(choices=BUY_ORDER_LABELS))
    buy_order_value = AmountField(
        label="Size of a buy",
        required=False,
        help_text="10 is 10 % of the capital, or 10 in quote currency. Empty when each buy spends all.",
    )

    def __init__(self, *args: Any, accounts: QuerySet[ExchangeAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account = self.fields["account"]
        assert isinstance(account, AccountField)
        account.queryset = accounts

    @property
    def buying(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("buy_order_type", "buy_order_value")}


@reload_when_signed_out
@login_required
@require_safe
@vary_on_headers("HX-Request")
def with_my_account(request: HttpRequest, slug: str) -> HttpResponse:
    bot = get_object_or_404(Bot.objects.published(), slug=slug)
    assert isinstance(request.user, User)
    try:
        lifecycle.refuse_staff(request.user)
    except StaffDoNotTrade as error:
        raise PermissionDenied(str(error)) from error
    version = bot.versions.published().latest("created_at", "pk")
    newest = newest_signals(version)
    accounts = ExchangeAccount.objects.of(request.user).with_access().defer("sealed").order_by("label")
    is_asked = "buy_order_type" in request.GET
    form = AccountFitForm(request.GET if is_asked else AT_FIRST, accounts=accounts, label_suffix="")
    context: dict[str, Any] = {"bot": bot, "version": version, "newest": newest, "form": form}
    if newest is not None and form.is_valid():
        given = form.cleaned_data
        try:
            context["funds"] = funds_of(given["account"], newest)
            context["fit"] = fit(newest, funds=context["funds"], capital=given["capital"], buying=form.buying)
        except ConfigError as error:
            for name, problem in error.problems.items():
                form.add_error(name, problem)
    part = "#fit" if "HX-Request" in request.headers else ""
    return render(request, f"execution/with_my_account.html{part}", context)
