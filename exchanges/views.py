"""A trader's own exchange accounts: list, add, look at, replace keys, rename, check, delete.

Keys are asked for, checked and deleted after the password: a browser left open gives nobody an account.
A form with keys that comes too late for that is thrown away, since nothing may keep them meanwhile.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.confirming import has_given_password, require_password
from accounts.models import User
from exchanges import accounts as operations
from exchanges.credentials import STEPS
from exchanges.forms import AddAccountForm, KeyForm, LabelForm
from exchanges.models import Exchange, ExchangeAccount

RIGHTS = (
    ("can_read", "Read balances and orders"),
    ("can_trade", "Place and cancel orders"),
    ("can_withdraw", "Withdraw or transfer funds"),
)


@login_required
@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    rows = ExchangeAccount.objects.of(request.user).defer("sealed")
    return render(request, "exchanges/accounts.html", {"accounts": rows})


@sensitive_post_parameters("api_key", "secret")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    form = AddAccountForm(request.POST if request.method == "POST" else None, initial=request.GET.dict())
    if form.asks_for_keys and not has_given_password(request):
        return _ask_for_password(request, form.url)
    if form.is_valid():
        account = _attempt(form, operations.add_account, owner=request.user, **form.choices)
        if account:
            messages.success(request, f"{account.label} is added.")
            return redirect(account)
    return render(request, "exchanges/add.html", _fields(request, form))


@login_required
@require_safe
def key_fields(request: HttpRequest) -> HttpResponse:
    """The part of the page that asks for keys, for the exchange and the kind of account just chosen."""
    form = AddAccountForm(initial=request.GET.dict())
    is_paper = form["environment"].value() == ExchangeAccount.Environment.PAPER
    return render(request, "exchanges/add.html#keys", _fields(request, form) | {"is_paper": is_paper})


@login_required
@require_safe
def account(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _own(request, pk))


@login_required
@require_safe
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the page that asks for itself again while the keys are being checked."""
    return render(request, "exchanges/account.html#state", _facts(_own(request, pk)))


@sensitive_post_parameters("api_key", "secret")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def replace_keys(request: HttpRequest, pk: int) -> HttpResponse:
    own = _own(request, pk)
    if not has_given_password(request):
        return _ask_for_password(request, reverse("exchanges:replace_keys", args=[pk]))
    form = KeyForm(request.POST if request.method == "POST" else None, key_exchange=own.exchange)
    if form.is_valid() and _attempt(form, operations.replace_keys, account=own, credentials=form.credentials):
        messages.success(request, "The keys are replaced. The former ones are gone from here.")
        return redirect(own)
    context = {"account": own, "form": form, "steps": STEPS[Exchange(own.exchange)]}
    return render(request, "exchanges/keys.html", context)


@login_required
@require_POST
def relabel(request: HttpRequest, pk: int) -> HttpResponse:
    own = _own(request, pk)
    form = LabelForm(request.POST)
    if form.is_valid() and _attempt(form, operations.relabel, account=own, label=form.cleaned_data["label"]):
        messages.success(request, "Renamed.")
        return redirect(own)
    return _page(request, _own(request, pk), label_form=form)


@login_required
@require_POST
def check(request: HttpRequest, pk: int) -> HttpResponse:
    own = _own(request, pk)
    if own.needs_keys:
        require_password(request)
    try:
        operations.check_again(account=own)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, "The exchange is being asked what the keys may do.")
    return redirect(own)


@login_required
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    own = _own(request, pk)
    if own.needs_keys:
        require_password(request)
    try:
        is_gone = operations.delete_account(account=own)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("exchanges:account", pk)
    if not own.needs_keys:
        messages.success(request, f"{own.label} is deleted.")
    elif is_gone:
        messages.success(
            request, f"{own.label} and its keys are deleted here. Delete the key at the exchange too."
        )
    else:
        messages.success(
            request,
            f"The keys of {own.label} are deleted here; what was traded with them stays on record. "
            "Delete the key at the exchange too, and look there whether an order still rests.",
        )
    return redirect("exchanges:accounts")


def _own(request: HttpRequest, pk: int) -> ExchangeAccount:
    return get_object_or_404(ExchangeAccount.objects.of(request.user), pk=pk)


def _page(request: HttpRequest, own: ExchangeAccount, **forms: Form) -> HttpResponse:
    shown: dict[str, Form] = {"label_form": LabelForm(initial={"label": own.label})}
    return render(request, "exchanges/account.html", _facts(own) | shown | forms)


def _ask_for_password(request: HttpRequest, back_to: str) -> HttpResponse:
    """Have the password asked for and then the empty form shown; what was typed by now is forgotten."""
    if request.method == "POST":
        messages.warning(request, "Nothing was stored. Confirm that it is you, then enter the keys again.")
    return redirect(_password_url(back_to))


def _password_url(back_to: str) -> str:
    return reverse("account_reauthenticate", query={REDIRECT_FIELD_NAME: back_to})


def _fields(request: HttpRequest, form: AddAccountForm) -> dict[str, Any]:
    return {
        "form": form,
        "password_url": "" if has_given_password(request) else _password_url(form.url),
        "steps": [(exchange.label, steps) for exchange, steps in form.steps.items()],
    }


def _facts(own: ExchangeAccount) -> dict[str, Any]:
    return {
        "account": own,
        "has_record": own.subscriptions.exists(),
        "rights": [(label, own.permissions[name]) for name, label in RIGHTS if name in own.permissions],
        "balances": sorted(own.held.items()),
        "steps": STEPS[Exchange(own.exchange)],
    }


def _attempt(
    form: Form, operation: Callable[..., ExchangeAccount], **arguments: Any
) -> ExchangeAccount | None:
    """Do it; None when it was refused and the form now says why."""
    try:
        return operation(**arguments)
    except ValidationError as error:
        named = hasattr(error, "error_dict") and set(error.error_dict) <= {*form.fields, "__all__"}
        form.add_error(None, error if named else ValidationError(error.messages))
        return None
