"""From what happened to the message that a person gets, over HTTP to a receiver of this machine."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import channels, notifying, tasks
from accounts.models import (
    Event,
    Notification,
    NotificationChannel,
    NotificationDelivery,
    NotificationTimes,
    User,
)
from accounts.notifying import due_from
from accounts.second_factor import SecretLost
from tests.accounts.receivers import Receiver, receiving

pytestmark = pytest.mark.django_db

Digest = NotificationTimes.Digest
SECRET = "Sesame-0123456789-open-0123456789"
BOT_TOKEN = f"123456789:{SECRET}"
GIVEN = {
    "TELEGRAM": {"bot_token": BOT_TOKEN, "chat_id": "-100123"},
    "DISCORD": {"url": f"https://discord.com/api/webhooks/123456789012345678/{SECRET}-{SECRET}"},
    "WEBHOOK": {"url": f"https://hooks.example.com/bots?key={SECRET}"},
}


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    with receiving() as found:
        settings.NOTIFICATION_RECEIVER = found.url
        yield found


def add(owner: User, kind: str = "WEBHOOK") -> NotificationChannel:
    return channels.add_channel(owner=owner, kind=kind, given=GIVEN[kind])


def tell(
    person: User, *, event: Event = Event.STOP, key: str = "order:7", subject: str = "A stop sold"
) -> None:
    text = "Sold 0.5 BTC at 60 000 USDT."
    notifying.notify(people=[person.pk], event=event, subject=subject, text=text, link="/limits/", key=key)


def deliver(at: datetime | None = None) -> None:
    notifying.spread(at or timezone.now())
    notifying.deliver(at or timezone.now())


def test_what_is_told_twice_arrives_once(bob: User, letters: Callable[[], list[EmailMessage]]) -> None:
    tell(bob)
    letters()
    tell(bob)

    [letter] = letters()

    assert (letter.to, letter.subject) == ([bob.email], "A stop sold")
    assert "Sold 0.5 BTC" in letter.body
    assert "/limits/" in letter.body


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("TELEGRAM", ("api.telegram.org", f"/bot{BOT_TOKEN}/sendMessage")),
        ("DISCORD", ("discord.com", f"/api/webhooks/123456789012345678/{SECRET}-{SECRET}")),
        ("WEBHOOK", ("hooks.example.com", f"/bots?key={SECRET}")),
    ],
)
def test_each_service_gets_it_where_and_as_it_wants_it(
    bob: User, receiver: Receiver, caplog: pytest.LogCaptureFixture, kind: str, where: tuple[str, str]
) -> None:
    channel = add(bob, kind)
    tell(bob)

    deliver()

    [(got_host, got_path, body)] = receiver.got
    assert (got_host, got_path) == where
    said = {"TELEGRAM": "text", "DISCORD": "content", "WEBHOOK": "notifications"}[kind]
    assert "Sold 0.5 BTC at 60 000 USDT" in str(body[said]).replace("\\", "")
    assert "/limits/" in str(body[said])
    channel.refresh_from_db()
    assert channel.delivered_at is not None
    assert SECRET not in caplog.text


def test_a_webhook_gets_fields(bob: User, receiver: Receiver) -> None:
    add(bob)
    tell(bob)

    deliver()

    [told] = receiver.got[0][2]["notifications"]
    assert told.keys() == {"event", "subject", "text", "link", "at"}
    assert (told["event"], told["subject"]) == ("STOP", "A stop sold")


def test_a_bots_name_calls_nobody_and_hides_no_link_at_discord(bob: User, receiver: Receiver) -> None:
    add(bob, "DISCORD")
    tell(bob, subject="@everyone [free](https://evil.example) <@&1>")

    deliver()

    content = receiver.got[0][2]["content"]
    assert "@everyone" not in content
    assert "[free](" not in content
    assert "<@&" not in content


def test_a_service_that_fails_is_tried_again_ever_more_rarely_and_holds_no_other_back(
    bob: User, receiver: Receiver, letters: Callable[[], list[EmailMessage]]
) -> None:
    channel, receiver.status = add(bob), 500
    now = timezone.now()
    tell(bob)

    waits = []
    for minutes in (0, 0, 2, 5, 10):  # the second comes too early
        deliver(now + timedelta(minutes=minutes))
        channel.refresh_from_db()
        assert channel.retry_at is not None
        waits.append(channel.failures)
    assert (waits, channel.problem) == ([1, 1, 2, 3, 4], "It answered with status 500.")
    assert len(letters()) == 1
    receiver.status, receiver.got = 204, []
    deliver(now + timedelta(minutes=30))

    channel.refresh_from_db()
    assert (len(receiver.got), channel.failures, channel.problem, channel.retry_at) == (1, 0, "", None)


def test_what_no_service_took_for_a_day_is_given_up(bob: User, receiver: Receiver) -> None:
    channel, receiver.status = add(bob), 404
    tell(bob)
    Notification.objects.update(spread_at=timezone.now())
    old = timezone.now() - timedelta(hours=25)
    delivery = NotificationDelivery.objects.create(
        notification=Notification.objects.get(), channel=channel, due_at=old
    )

    deliver()

    delivery.refresh_from_db()
    assert delivery.state == NotificationDelivery.State.DROPPED


def test_what_is_due_together_is_one_message(bob: User, letters: Callable[[], list[EmailMessage]]) -> None:
    for number in range(3):
        tell(bob, key=f"order:{number}", subject=f"Stop {number} sold")

    [letter] = letters()

    assert letter.subject == "3 notifications, the first: Stop 0 sold"
    assert all(f"Stop {number} sold" in letter.body for number in range(3))


def test_an_event_takes_only_the_channels_that_want_it(
    bob: User, receiver: Receiver, letters: Callable[[], list[EmailMessage]]
) -> None:
    channel, email = add(bob), channels.email_channel(bob)
    channels.set_events(owner=bob, events={channel.pk: ["FILL"], email.pk: []})

    tell(bob, event=Event.FILL, key="fill")
    tell(bob, event=Event.STOP, key="stop")

    assert letters() == []
    assert [told["event"] for got in receiver.got for told in got[2]["notifications"]] == ["FILL"]


def test_a_digest_waits_and_a_stop_does_not(bob: User, letters: Callable[[], list[EmailMessage]]) -> None:
    NotificationTimes.objects.create(person=bob, digest=Digest.DAILY)
    tell(bob, event=Event.VERSION, key="version", subject="A newer version")
    tell(bob, event=Event.STOP, key="stop", subject="A stop sold")

    assert [letter.subject for letter in letters()] == ["A stop sold"]
    deliver(timezone.now() + timedelta(days=1))

    assert [letter.subject for letter in letters()] == ["A stop sold", "A newer version"]


NIGHT = {"quiet_from": time(22), "quiet_until": time(7)}


@pytest.mark.parametrize(
    ("at", "is_urgent", "times", "due"),
    [
        ("2026-03-02T12:34:56", False, {}, "2026-03-02T12:34:56"),
        ("2026-03-02T12:34:56", False, {"digest": Digest.HOURLY}, "2026-03-02T13:00:00"),
        ("2026-03-02T12:34:56", True, {"digest": Digest.HOURLY}, "2026-03-02T12:34:56"),
        ("2026-03-02T07:59:00", False, {"digest": Digest.DAILY}, "2026-03-02T08:00:00"),
        ("2026-03-02T08:00:00", False, {"digest": Digest.DAILY}, "2026-03-03T08:00:00"),
        ("2026-03-02T21:59:00", True, NIGHT, "2026-03-02T21:59:00"),
        ("2026-03-02T22:00:00", True, NIGHT, "2026-03-03T07:00:00"),
        ("2026-03-02T03:00:00", True, NIGHT, "2026-03-02T07:00:00"),
        ("2026-03-02T07:00:00", True, NIGHT, "2026-03-02T07:00:00"),
        (
            "2026-03-02T13:00:00",
            True,
            {"quiet_from": time(12), "quiet_until": time(14)},
            "2026-03-02T14:00:00",
        ),
        # 23:30 in Berlin
        ("2026-03-02T22:30:00", True, NIGHT | {"time_zone": "Europe/Berlin"}, "2026-03-03T06:00:00"),
        # the night in which clocks go forward there
        ("2026-03-28T22:30:00", True, NIGHT | {"time_zone": "Europe/Berlin"}, "2026-03-29T05:00:00"),
        # a digest that falls into quiet hours
        ("2026-03-02T21:30:00", False, NIGHT | {"digest": Digest.HOURLY}, "2026-03-03T07:00:00"),
    ],
)
def test_when_something_may_go(at: str, is_urgent: bool, times: dict[str, Any], due: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)

    found = due_from(at=moment, is_urgent=is_urgent, times=NotificationTimes(**times))

    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_test_goes_at_any_hour_and_is_not_repeated(bob: User, receiver: Receiver) -> None:
    hour = timezone.now().time()
    NotificationTimes.objects.create(
        person=bob, quiet_from=hour, quiet_until=(timezone.now() + timedelta(hours=9)).time()
    )
    channel, receiver.status = add(bob), 403
    channels.try_out(channel=channel)

    tasks.deliver_notifications()

    channel.refresh_from_db()
    assert (len(receiver.got), channel.problem) == (1, "It answered with status 403.")
    assert not channel.deliveries.filter(state=NotificationDelivery.State.WAITING).exists()


def test_what_is_tried_again_keeps_the_quiet_hours_too(bob: User, receiver: Receiver) -> None:
    evening = datetime(2026, 3, 2, 21, 59, tzinfo=UTC)
    channel, receiver.status = add(bob), 503
    tell(bob)
    deliver(evening)
    receiver.status = 200
    NotificationTimes.objects.create(person=bob, **NIGHT)  # set while it waits to be tried again
    before = len(receiver.got)

    for hours in (1, 4, 9):
        deliver(evening + timedelta(hours=hours))
    assert len(receiver.got) == before

    deliver(evening + timedelta(hours=9, minutes=2))
    assert len(receiver.got) == before + 1
    channel.refresh_from_db()
    assert channel.problem == ""


def test_quiet_hours_keep_no_message_that_cannot_be_delivered_for_ever(bob: User, receiver: Receiver) -> None:
    now = timezone.now()
    NotificationTimes.objects.create(person=bob, **NIGHT)
    channel, receiver.status = add(bob), 503
    tell(bob)

    for hours in range(0, 24 * 4, 2):
        deliver(now + timedelta(hours=hours))

    states = set(channel.deliveries.values_list("state", flat=True))
    assert states == {NotificationDelivery.State.DROPPED}


def test_a_channel_at_which_another_worker_is_is_left_to_it(bob: User, receiver: Receiver) -> None:
    channel = add(bob)
    tell(bob)
    NotificationChannel.objects.filter(pk=channel.pk).update(busy_until=timezone.now() + timedelta(minutes=1))

    deliver()

    assert receiver.got == []


def test_an_address_is_sealed_for_its_owner_alone(bob: User, charlie: User) -> None:
    mine, theirs = add(bob, "TELEGRAM"), add(charlie)

    assert all(SECRET not in str(row) for row in NotificationChannel.objects.values())
    assert channels.opened(mine) == GIVEN["TELEGRAM"]
    NotificationChannel.objects.filter(pk=theirs.pk).update(sealed=mine.sealed)
    theirs.refresh_from_db()
    with pytest.raises(SecretLost, match="somebody else"):
        channels.opened(theirs)


def test_an_address_that_does_not_open_is_told_and_holds_no_other_back(
    bob: User, receiver: Receiver, letters: Callable[[], list[EmailMessage]]
) -> None:
    channel = add(bob)
    NotificationChannel.objects.filter(pk=channel.pk).update(
        sealed=Fernet(Fernet.generate_key()).encrypt(b"{}")
    )
    tell(bob)

    assert len(letters()) == 1

    channel.refresh_from_db()
    assert "remove it and add it again" in channel.problem


def test_addresses_open_after_the_keys_were_rotated(bob: User, settings: Settings) -> None:
    channel = add(bob)
    settings.VAULT_KEYS = {"new": b"n" * 32} | settings.VAULT_KEYS

    call_command("rotate_vault_keys")

    settings.VAULT_KEYS = {"new": b"n" * 32}
    channel.refresh_from_db()
    assert channels.opened(channel) == GIVEN["WEBHOOK"]


def test_old_notifications_are_deleted(bob: User) -> None:
    tell(bob, key="old")
    Notification.objects.update(created_at=timezone.now() - timedelta(days=31))
    tell(bob, key="new")

    tasks.forget_notifications()

    assert [each.key for each in Notification.objects.all()] == ["new"]
