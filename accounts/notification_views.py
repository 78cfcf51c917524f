"""How a person is told: channels, which events take them, and when.

Where to is asked for after the password, and what is typed before it is thrown away: the address is a secret.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import channels as operations
from accounts.confirming import has_given_password
from accounts.models import Event, NotificationChannel, NotificationTimes, User
from accounts.notification_forms import FORMS, STEPS, TimesForm

Kind = NotificationChannel.Kind

NOT_STORED = "Nothing was stored. Confirm that it is you, then enter the address again."
PAGE = "accounts:notifications"


@login_required
@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    return _page(request, TimesForm(instance=_times(person)))


@login_required
@require_POST
def set_events(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    shown = request.POST.getlist("channel")  # one that was added since keeps its events
    rows = [row for row in NotificationChannel.objects.of(person) if str(row.pk) in shown]
    operations.set_events(
        owner=person, events={row.pk: request.POST.getlist(f"channel-{row.pk}") for row in rows}
    )
    messages.success(request, "Stored.")
    return redirect(PAGE)


@login_required
@require_POST
def set_times(request: HttpRequest) -> HttpResponse:
    form = TimesForm(request.POST, instance=_times(_person(request)))
    if form.is_valid():
        form.save()
        messages.success(request, "Stored.")
        return redirect(PAGE)
    return _page(request, form)


@sensitive_post_parameters("url", "bot_token", "chat_id")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, kind: str) -> HttpResponse:
    if kind.upper() not in FORMS:
        raise Http404
    chosen = Kind(kind.upper())
    if not has_given_password(request):
        if request.method == "POST":
            messages.warning(request, NOT_STORED)
        return redirect(reverse("account_reauthenticate", query={REDIRECT_FIELD_NAME: request.path}))
    form = FORMS[chosen](request.POST if request.method == "POST" else None)
    if form.is_valid() and (channel := _attempt(form, _person(request), chosen)):
        messages.success(request, f"{channel} is added. Send a test to see that it works.")
        return redirect(PAGE)
    return render(
        request, "accounts/add_channel.html", {"form": form, "kind": chosen, "steps": STEPS[chosen]}
    )


@login_required
@require_safe
def channel(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the page that asks for itself again while a test is on its way."""
    return render(request, "accounts/notifications.html#channel", {"channel": _own(request, pk)})


@login_required
@require_POST
def try_out(request: HttpRequest, pk: int) -> HttpResponse:
    own = _own(request, pk)
    operations.try_out(channel=own)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "accounts/notifications.html#channel", {"channel": _own(request, pk)})
    messages.success(
        request, "A test is on its way. Load this page again in a moment to see what came of it."
    )
    return redirect(PAGE)


@login_required
@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    own = _own(request, pk)
    if own.kind == Kind.EMAIL:
        raise Http404
    own.delete()
    messages.success(request, f"{own} is removed.")
    return redirect(PAGE)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _own(request: HttpRequest, pk: int) -> NotificationChannel:
    return get_object_or_404(NotificationChannel.objects.of(request.user).with_waiting(), pk=pk)


def _times(person: User) -> NotificationTimes:
    return NotificationTimes.objects.filter(person=person).first() or NotificationTimes(person=person)


def _page(request: HttpRequest, times_form: TimesForm) -> HttpResponse:
    person = _person(request)
    if person.email:
        operations.email_channel(person)
    rows = list(NotificationChannel.objects.of(person).with_waiting())
    context: dict[str, Any] = {
        "channels": rows,
        "events": [(event, [(row, event.value in row.events) for row in rows]) for event in Event],
        "kinds": [(kind.value.lower(), kind.label) for kind in FORMS],
        "times_form": times_form,
    }
    return render(request, "accounts/notifications.html", context)


def _attempt(form: Form, owner: User, kind: Kind) -> NotificationChannel | None:
    """Add it; None when it was refused and the form now says why."""
    try:
        return operations.add_channel(owner=owner, kind=kind, given=form.cleaned_data)
    except ValidationError as error:
        form.add_error(None, error)
        return None
