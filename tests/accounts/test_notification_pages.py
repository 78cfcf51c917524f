"""The page on which people say where, of what and when they are told."""

from typing import Any

import pytest
from django.test import Client

from accounts import channels, tasks
from accounts.models import NotificationChannel, NotificationTimes, User
from tests.accounts.receivers import Receiver
from tests.accounts.test_notifying import BOT_TOKEN, GIVEN, SECRET, add, receiver  # noqa: F401 - a fixture
from tests.factories import give_password

pytestmark = pytest.mark.django_db

PAGE = "/accounts/notifications/"


@pytest.fixture
def browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def text_of(client: Client, page: str = PAGE) -> str:
    return client.get(page).content.decode()


def test_the_page_needs_login_and_begins_with_ones_own_email(client: Client, bob: User) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(bob)

    page = text_of(client)

    assert bob.email in page
    assert "Nothing sent yet." in page
    assert NotificationChannel.objects.get().events == ["STOP", "HALTED", "KEY_PROBLEM", "VERSION", "REVIEW"]


@pytest.mark.parametrize("kind", ["telegram", "discord", "webhook"])
def test_adding_asks_for_the_password_first_and_keeps_nothing_typed_before(
    browser: Client, bob: User, kind: str
) -> None:
    url, given = f"{PAGE}add/{kind}/", GIVEN[kind.upper()]

    assert "/reauthenticate/" in browser.post(url, given).headers["Location"]
    assert not NotificationChannel.objects.exists()
    assert SECRET not in str(dict(browser.session))
    give_password(browser)
    assert browser.post(url, given).headers["Location"] == PAGE

    channel = NotificationChannel.objects.get(kind=kind.upper())
    assert SECRET in str(channels.opened(channel))
    page = text_of(browser)
    assert channel.hint in page
    assert SECRET not in page


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("telegram", {"bot_token": f"1:{SECRET}", "chat_id": "5"}),
        ("telegram", {"bot_token": BOT_TOKEN, "chat_id": "../getMe"}),
        ("discord", {"url": f"https://discord.com.example.com/api/webhooks/123456789012345678/{SECRET}"}),
        ("discord", {"url": f"https://discord.com/api/webhooks/../../{SECRET}"}),
        ("webhook", {"url": f"http://hooks.example.com/{SECRET}"}),
        ("webhook", {"url": f"https://127.0.0.1/{SECRET}"}),
        ("webhook", {"url": f"https://user:{SECRET}@hooks.example.com/"}),
    ],
)
def test_an_address_that_is_none_is_refused_and_not_shown_again(
    browser: Client, kind: str, given: dict[str, str]
) -> None:
    give_password(browser)

    page = browser.post(f"{PAGE}add/{kind}/", given).content.decode()

    assert "Expected " in page
    assert SECRET not in page
    assert not NotificationChannel.objects.exists()


def test_the_eleventh_channel_is_refused(browser: Client, bob: User) -> None:
    give_password(browser)
    for _ in range(10):
        add(bob)

    page = browser.post(f"{PAGE}add/webhook/", GIVEN["WEBHOOK"]).content.decode()

    assert "Remove one first" in page


def test_boxes_say_what_goes_where(browser: Client, bob: User) -> None:
    channel, email = add(bob), channels.email_channel(bob)

    both = {"channel": [channel.pk, email.pk]}
    browser.post(f"{PAGE}events/", both | {f"channel-{channel.pk}": ["FILL", "STOP", "NOTHING"]})

    channel.refresh_from_db()
    email.refresh_from_db()
    assert (channel.events, email.events) == (["FILL", "STOP"], [])


def test_a_channel_that_the_page_did_not_show_keeps_its_events(browser: Client, bob: User) -> None:
    shown, added_since = add(bob), add(bob, "TELEGRAM")
    before = added_since.events
    assert before

    browser.post(f"{PAGE}events/", {"channel": [shown.pk], f"channel-{shown.pk}": ["STOP"]})

    for channel in (shown, added_since):
        channel.refresh_from_db()
    assert (shown.events, added_since.events) == (["STOP"], before)


def test_quiet_hours_and_digest_are_kept(browser: Client, bob: User) -> None:
    given = {
        "time_zone": "Europe/Berlin",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "digest": "HOURLY",
    }

    assert browser.post(f"{PAGE}times/", given).status_code == 302

    times = NotificationTimes.objects.get(person=bob)
    assert (times.time_zone, times.digest, times.quiet_from.hour) == ("Europe/Berlin", "HOURLY", 22)  # type: ignore[union-attr]
    assert 'value="22:00"' in text_of(browser)


@pytest.mark.parametrize(
    "change",
    [{"time_zone": "../etc/passwd"}, {"quiet_until": ""}, {"quiet_until": "22:00"}, {"digest": "NEVER"}],
)
def test_times_that_are_none_are_refused(browser: Client, change: dict[str, Any]) -> None:
    given = {"time_zone": "UTC", "quiet_from": "22:00", "quiet_until": "07:00", "digest": "NONE"}

    answer = browser.post(f"{PAGE}times/", given | change)

    assert answer.status_code == 200
    assert "invalid-feedback" in answer.content.decode()
    assert not NotificationTimes.objects.exists()


def test_a_test_shows_on_the_page_what_came_of_it(
    browser: Client,
    bob: User,
    receiver: Receiver,  # noqa: F811
) -> None:
    channel = add(bob)
    receiver.status = 404

    browser.post(f"{PAGE}{channel.pk}/test/")
    assert "A test is on its way" in text_of(browser, f"{PAGE}{channel.pk}/")
    tasks.deliver_notifications()

    assert "The last try failed." in text_of(browser)
    assert "It answered with status 404." in text_of(browser)


def test_a_channel_is_removed_but_never_the_email(browser: Client, bob: User) -> None:
    channel, email = add(bob), channels.email_channel(bob)

    assert browser.post(f"{PAGE}{channel.pk}/remove/").status_code == 302
    assert browser.post(f"{PAGE}{email.pk}/remove/").status_code == 404

    assert list(NotificationChannel.objects.all()) == [email]


@pytest.mark.parametrize(("method", "what"), [("get", ""), ("post", "test/"), ("post", "remove/")])
def test_others_channels_are_not_there(browser: Client, charlie: User, method: str, what: str) -> None:
    theirs = add(charlie)

    assert getattr(browser, method)(f"{PAGE}{theirs.pk}/{what}").status_code == 404
    browser.post(f"{PAGE}events/", {f"channel-{theirs.pk}": []})

    theirs.refresh_from_db()
    assert theirs.events


def test_the_page_asks_as_often_with_many_channels(
    browser: Client, bob: User, django_assert_num_queries: Any
) -> None:
    text_of(browser)
    with django_assert_num_queries(5):
        text_of(browser)
    for _ in range(5):
        add(bob)
    with django_assert_num_queries(5):
        text_of(browser)
