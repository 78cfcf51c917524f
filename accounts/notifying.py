"""An outbox: what people are told is a row of the transaction in which it happened, and leaves after it.

`notify` writes that row. Workers then spread it over the channels that its person wants for such an event,
each with the moment from which it may go: after quiet hours, with the next digest. What is due on a channel
goes as one message. A service that fails is tried again, ever more rarely, for a day.
"""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import channels
from accounts.errors import DeliveryFailed
from accounts.models import (
    URGENT,
    Event,
    Notification,
    NotificationChannel,
    NotificationDelivery,
    NotificationTimes,
    User,
)
from accounts.second_factor import SecretLost

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500  # notifications that are spread in one transaction
MOST_CHANNELS_AT_ONCE = 32
THREADS = 16
MOST_IN_ONE_MESSAGE = 20
BEGIN_WITHIN_SECONDS = 15  # a worker's turn: later it begins no other channels
CLAIM = timedelta(minutes=2)  # longer than all of a turn takes
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
TRY_FOR = timedelta(days=1)
WAIT_FOR = timedelta(days=3)  # a digest, quiet hours, and a day of tries
KEEP_FOR = timedelta(days=30)
DIGEST_AT = time_of_day(8)  # of a day
OUR_FAULT = "Something failed on our side."
ADDRESS_LOST = "Its address cannot be opened any more: remove it and add it again."


def notify(
    *, people: Iterable[int | None], event: Event, subject: str, text: str, link: str, key: str
) -> None:
    """Have people, by id, told; `link` is a path on this site. For the transaction in which it happened.

    `key` names what happened (up to 100 characters): a person is told of one key once. It is one INSERT.
    None among the people is the marketplace itself, which is told nothing.
    """
    line = " ".join(subject.split())
    rows = [
        Notification(person_id=person, event=event, subject=line[:200], text=text, link=link, key=key)
        for person in people
        if person is not None
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)


def due_from(*, at: datetime, is_urgent: bool, times: NotificationTimes) -> datetime:
    """Return from when on something of the aware moment `at` may go to a person with these times."""
    zone = ZoneInfo(times.time_zone)
    local = at.astimezone(zone)
    if not is_urgent and times.digest == NotificationTimes.Digest.HOURLY:
        local = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    elif not is_urgent and times.digest == NotificationTimes.Digest.DAILY:
        local = _next(local, DIGEST_AT)
    if times.quiet_from is not None and times.quiet_until is not None:
        begins, ends, now = times.quiet_from, times.quiet_until, local.time()
        is_quiet = begins <= now < ends if begins < ends else now >= begins or now < ends
        if is_quiet:
            local = _next(local, ends)
    return local.astimezone(UTC)


def spread(now: datetime) -> int:
    """Bring what was written to the channels that are to take it; return how many notifications."""
    with transaction.atomic():
        waiting = Notification.objects.filter(spread_at=None).order_by("pk")
        fresh = list(waiting.select_for_update(skip_locked=True, of=["self"])[:MOST_AT_ONCE])
        people = list(User.objects.filter(pk__in={each.person_id for each in fresh}, is_active=True))
        by_email = [person for person in people if person.email]
        NotificationChannel.objects.bulk_create(
            [NotificationChannel(owner=person, kind=NotificationChannel.Kind.EMAIL) for person in by_email],
            ignore_conflicts=True,
        )
        ways: dict[int, list[NotificationChannel]] = {}
        for channel in NotificationChannel.objects.filter(owner__in=people):
            ways.setdefault(channel.owner_id, []).append(channel)
        times = {each.person_id: each for each in NotificationTimes.objects.filter(person__in=people)}
        NotificationDelivery.objects.bulk_create(
            [
                NotificationDelivery(
                    notification=each,
                    channel=channel,
                    due_at=due_from(
                        at=now,
                        is_urgent=each.event in URGENT,
                        times=times.get(each.person_id, NotificationTimes()),
                    ),
                )
                for each in fresh
                for channel in ways.get(each.person_id, [])
                if each.event in channel.events
            ],
            ignore_conflicts=True,
        )
        Notification.objects.filter(pk__in=[each.pk for each in fresh]).update(spread_at=now)
    return len(fresh)


def deliver(now: datetime) -> None:
    """Send what is due, on many channels at once, and write down what came of it.

    Should a worker die between the two, the same message goes once more.
    """
    deadline = time.monotonic() + BEGIN_WITHIN_SECONDS
    _keep_quiet(now)
    with ThreadPoolExecutor(THREADS) as pool:
        while time.monotonic() < deadline and (parcels := _claim(now)):
            for parcel, problem in zip(parcels, pool.map(_carry, parcels), strict=True):
                _note(parcel, problem, now)


def forget(now: datetime) -> None:
    """Delete what is too old for anybody to ask about."""
    Notification.objects.filter(created_at__lt=now - KEEP_FOR).delete()


def _keep_quiet(now: datetime) -> None:
    """Put off what became due before somebody's quiet hours began, or were set; tests go at any hour."""
    due = NotificationDelivery.objects.filter(state=NotificationDelivery.State.WAITING, due_at__lte=now)
    late = due.exclude(notification__event="")
    has_late = Exists(late.filter(channel__owner=OuterRef("person")))
    for times in NotificationTimes.objects.filter(has_late, quiet_from__isnull=False):
        begins = due_from(at=now, is_urgent=True, times=times)
        if begins > now:
            late.filter(channel__owner=times.person_id).update(due_at=begins)


class _Parcel(NamedTuple):
    """A channel's message: what to call to send it, and the deliveries that it stands for."""

    channel: NotificationChannel
    deliveries: list[int]
    send: Callable[[], None]


def _claim(now: datetime) -> list[_Parcel]:
    """Take channels on which something is due, for this worker alone."""
    due = NotificationDelivery.objects.filter(state=NotificationDelivery.State.WAITING, due_at__lte=now)
    is_free = Q(busy_until=None) | Q(busy_until__lt=now)
    may_try = Q(retry_at=None) | Q(retry_at__lte=now)
    with transaction.atomic():
        ready = NotificationChannel.objects.filter(
            is_free, may_try, Exists(due.filter(channel=OuterRef("pk")))
        )
        ready = ready.select_related("owner").select_for_update(skip_locked=True, of=["self"])
        taken = list(ready.order_by("failures", "pk")[:MOST_CHANNELS_AT_ONCE])
        pks = [channel.pk for channel in taken]
        NotificationChannel.objects.filter(pk__in=pks).update(busy_until=now + CLAIM)
    return [_parcel(channel, due) for channel in taken]


def _parcel(channel: NotificationChannel, due: QuerySet[NotificationDelivery]) -> _Parcel:
    from accounts import services  # noqa: PLC0415 - what only workers need

    rows = list(due.filter(channel=channel).select_related("notification")[:MOST_IN_ONE_MESSAGE])
    told = tuple(
        services.Told(
            event=row.notification.event or "TEST",
            subject=row.notification.subject,
            text=row.notification.text,
            link=f"{settings.PUBLIC_URL.rstrip('/')}{row.notification.link}",
            at=row.notification.created_at.isoformat(),
        )
        for row in rows
    )
    message = services.Message(told)
    try:
        address = channels.opened(channel)
    except SecretLost:
        return _Parcel(channel, [row.pk for row in rows], _fail_for_lost_address)
    send = partial(services.send, kind=channel.kind, address=address, message=message)
    return _Parcel(channel, [row.pk for row in rows], send)


def _fail_for_lost_address() -> None:
    raise DeliveryFailed(ADDRESS_LOST)


def _carry(parcel: _Parcel) -> str:
    """Return what went wrong, or nothing. In a thread: no database here."""
    try:
        parcel.send()
    except DeliveryFailed as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - of the library: its text may hold the address
        logger.error("Notification channel %s failed: %s", parcel.channel.pk, type(error).__name__)
        return OUR_FAULT
    return ""


def _note(parcel: _Parcel, problem: str, now: datetime) -> None:
    states = NotificationDelivery.State
    rows = NotificationDelivery.objects.filter(pk__in=parcel.deliveries)
    channel = NotificationChannel.objects.filter(pk=parcel.channel.pk)
    with transaction.atomic():
        if not problem:
            rows.update(state=states.SENT)
            channel.update(delivered_at=now, failures=0, problem="", retry_at=None, busy_until=None)
            return
        is_late = Q(due_at__lt=now - TRY_FOR) | Q(notification__created_at__lt=now - WAIT_FOR)
        rows.filter(is_late).update(state=states.DROPPED)
        # a test says at once what came of it, and is not repeated
        rows.filter(notification__event="").update(state=states.DROPPED)
        failures = min(parcel.channel.failures + 1, 100)
        wait = min(SHORTEST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT)
        channel.update(failures=failures, problem=problem[:200], retry_at=now + wait, busy_until=None)


def _next(local: datetime, at: time_of_day) -> datetime:
    """Return the next moment after `local` at which the clock there shows `at`."""
    today = datetime.combine(local.date(), at, local.tzinfo)
    return today if today > local else datetime.combine(local.date() + timedelta(days=1), at, local.tzinfo)
