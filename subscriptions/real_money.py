"""Whoever changes what trades real money shows again who they are: by password or second factor."""

from collections.abc import Callable
from functools import wraps

from allauth.account.decorators import reauthentication_required
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from subscriptions.errors import WidensRealMoney
from subscriptions.models import Subscription

View = Callable[[HttpRequest, int], HttpResponse]


def asks_who_it_is(*, at_step: str | None = None) -> Callable[[View], View]:
    """Have a post that changes one's own live subscription wait for password or second factor.

    `at_step` is the one step of a form of several that changes something; None: every post does.
    """

    def guard(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, pk: int) -> HttpResponse:
            changes = request.method == "POST" and at_step in (None, request.POST.get("step"))
            if changes and Subscription.objects.of(request.user).live().filter(pk=pk).exists():
                return reauthentication_required(view)(request, pk)  # type: ignore[no-any-return]
            return view(request, pk)

        return guarded

    return guard


def asks_before_widening(
    view: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Have a post wait for password or second factor when the operation raises WidensRealMoney."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except WidensRealMoney:
            return reauthentication_required(view)(request)  # type: ignore[no-any-return]

    return guarded
