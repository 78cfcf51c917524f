"""What staff need besides their password, and how its secrets are sealed.

The account library asks for the code and keeps in the session which authenticator answered.
"""

from collections.abc import Callable
from functools import wraps

from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.models import User
from accounts.sealing import ring

PURPOSE = "accounts.second_factor"
SEALED = ("secret", "seed")  # of an authenticator's data: an app's secret, what recovery codes are drawn from
NEEDED = "Staff pages need a second factor. Set up an authenticator app; it takes a minute."

View = Callable[..., HttpResponse]


class SecretLost(Exception):
    """A stored secret does not open; the message says what to do."""


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # the library has no types
    def encrypt(self, text: str) -> str:
        return ring(PURPOSE).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises SecretLost."""
        try:
            return ring(PURPOSE).decrypt(encrypted_text).decode()
        except InvalidToken as error:
            raise SecretLost(
                "A second factor does not open. Either VAULT_KEYS lacks the key that sealed it: add that. "
                "Or its row was changed: delete the authenticator, and its owner sets up a new one."
            ) from error


def is_given(request: HttpRequest) -> bool:
    """Whether an authenticator that the person still has answered in this session."""
    if not isinstance(request.user, User):
        return False
    records = get_authentication_records(request, request.user)
    answered = [record["id"] for record in records if record["method"] == "mfa"]
    return bool(answered) and Authenticator.objects.filter(user=request.user, pk__in=answered).exists()


def lead_to(request: HttpRequest, page: str) -> HttpResponse:
    """Send staff to where they give their second factor, or else set it up, and after it to `page`.

    Raises PermissionDenied for who is no staff.
    """
    assert isinstance(request.user, User)
    if not request.user.is_staff:
        raise PermissionDenied
    if Authenticator.objects.filter(user=request.user).exists():
        return redirect(reverse("mfa_reauthenticate", query={"next": page}))
    messages.info(request, NEEDED)
    return redirect("mfa_activate_totp")


def required_of_staff(view: View) -> View:
    """Let staff see a page only after their second factor; what others get, the page decides."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        assert isinstance(request.user, User)
        if request.user.is_staff and not is_given(request):
            return lead_to(request, request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def reseal_all() -> int:
    """Bring all secrets under the first of VAULT_KEYS; return how many authenticators. Raises SecretLost."""
    adapter = Adapter()
    pks = list(Authenticator.objects.order_by("pk").values_list("pk", flat=True))
    for pk in pks:
        with transaction.atomic():
            for row in Authenticator.objects.select_for_update().filter(pk=pk):
                for name in row.data.keys() & SEALED:
                    row.data[name] = adapter.encrypt(adapter.decrypt(row.data[name]))
                row.save()
    return len(pks)
