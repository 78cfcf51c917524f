"""A cycle's page with its receipt and its replay, and the page of another version's decisions."""

import hashlib
import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from bots.models import BotVersion
from bots.publishing import publish_version
from execution import reruns
from execution.models import Comparison, Cycle, Replay
from subscriptions.models import Subscription
from tests.factories import BUYING_BOT, make_bot, make_cycle, make_subscription

pytestmark = pytest.mark.django_db

ATTACK = "<script>alert('gotcha')</script>"
HTMX = {"HX-Request": "true"}
RECEIPT = {
    "code": "a" * 64,
    "models": {f"MODEL/{ATTACK}": "b" * 64},
    "configuration": "c" * 64,
    "window": "d" * 64,
    "runtime": "e" * 64,
    "runtime_name": "Python 3.13.1, pandas 3.1.1",
    "candles": {
        "first": "2026-02-09T16:00:00+00:00",
        "last": "2026-03-02T11:00:00+00:00",
        "since": "2026-01-19T20:00:00+00:00",
        "count": 500,
    },
}
CANONICAL = json.dumps(RECEIPT, sort_keys=True, separators=(",", ":")).encode()
ASKED = [
    {"question": "current_price", "arguments": [], "answer": 60_000.0},
    {"question": "balance", "arguments": [ATTACK], "answer": 0.0},
    {"question": "candles", "arguments": [7], "answer": {"rows": 7, "sha256": "f" * 64}},
    {"question": "position", "arguments": [], "answer": {"base_amount": 0.5, "average_entry_price": None}},
]


@pytest.fixture
def subscription(client: Client, bob: User) -> Subscription:
    client.force_login(bob)
    bot = make_bot()
    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT, parameters=())
    subscription: Subscription = make_subscription(bob, bot=bot, version=bot.versions.get(number="v1.0.0"))
    return subscription


@pytest.fixture
def cycle(subscription: Subscription) -> Cycle:
    inputs = hashlib.sha256(CANONICAL).hexdigest()
    kept: dict[str, Any] = {"receipt": RECEIPT, "inputs": inputs, "asked": ASKED, "bot_seconds": 0.2}
    return make_cycle(subscription, log=f"printed {ATTACK}", **kept)


def url_of(cycle: Cycle, part: str = "") -> str:
    return cycle.get_absolute_url() + part


def decisions_of(subscription: Subscription, number: str = "v1.1.0") -> str:
    return f"{subscription.get_absolute_url()}version/{number}/decisions/"


def text(client: Client, url: str, **headers: str) -> str:
    answer = client.get(url, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_explains_what_the_decision_depended_on(client: Client, cycle: Cycle) -> None:
    page = text(client, url_of(cycle))

    for letter in "abcde":
        assert f"data-copy>{letter * 64}</code>" in page
    assert "500 candles, opened from" in page
    assert 'datetime="2026-01-19T20:00:00Z"' in page
    assert "v1.0.0: the bot&#x27;s program" in page or "v1.0.0: the bot's program" in page
    assert "7 candles, with the fingerprint ffff" in page
    assert "base amount 0.5, average entry price –" in page
    assert ATTACK not in page


def test_the_receipt_as_a_file_can_be_checked(client: Client, cycle: Cycle) -> None:
    answer = client.get(url_of(cycle, "receipt.json"))

    found = answer.json()
    canonical = json.dumps(found["receipt"], sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(canonical).hexdigest() == found["receipt_sha256"]
    assert (found["asked"], found["price"]) == (ASKED, "60000.000000000000000000")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="receipt-{cycle.pk}.json"'
    assert client.get(url_of(make_cycle(cycle.subscription, age=1), "receipt.json")).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_replay_is_asked_for_with_and_without_javascript(
    client: Client, cycle: Cycle, published: list[tuple[str, list[Any]]]
) -> None:
    answer = client.post(url_of(cycle, "replay/"))
    again = client.post(url_of(cycle, "replay/"), headers=HTMX)

    replay = Replay.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{url_of(cycle)}#replay")
    assert published == [("execution.tasks.run_replay", [replay.pk])]
    assert "Waiting for its turn" in again.content.decode()
    assert "<html" not in again.content.decode()
    assert client.get(url_of(cycle, "replay/?seen=WAITING"), headers=HTMX).status_code == 204
    Replay.objects.update(state=Replay.State.RUNNING)
    assert "The bot runs" in text(client, url_of(cycle, "replay/?seen=WAITING"), **HTMX)
    assert client.get(url_of(cycle, "replay/")).headers["Location"] == f"{url_of(cycle)}#replay"


def test_what_came_out_is_said_in_words(client: Client, cycle: Cycle, bob: User) -> None:
    answer = {
        "verdict": "OK",
        "action": "BUY",
        "value": 60_001.0,
        "reason": ATTACK,
        "message": "",
        "seconds": 0.1,
        "log": ATTACK,
    }
    replay = Replay.objects.create(cycle=cycle, asked_by=bob, state="DONE", answer=answer, is_same=False)
    chance = text(client, url_of(cycle))
    changed = {"label": "Candles", "then": "500", "now": "499", "says": "Other candles.", "is_input": True}
    Replay.objects.filter(pk=replay.pk).update(differences=[changed])
    other = text(client, url_of(cycle))
    Replay.objects.filter(pk=replay.pk).update(is_same=True, differences=[])
    same = text(client, url_of(cycle))

    assert "Do not count on its backtests" in chance
    assert "What went in is not what it was, and may be why" in other
    assert "Other candles." in other
    assert "The same came out" in same
    assert "hx-trigger" not in same
    assert ATTACK not in chance


def test_a_replay_that_is_refused_says_why(client: Client, cycle: Cycle, bob: User) -> None:
    for age in range(1, reruns.MOST_UNFINISHED + 1):
        Replay.objects.create(cycle=make_cycle(cycle.subscription, age=age), asked_by=bob)

    with_script = client.post(url_of(cycle, "replay/"), headers=HTMX).content.decode()
    without = client.post(url_of(cycle, "replay/"), follow=True).content.decode()

    assert "is not finished. Wait for it." in with_script
    assert "is not finished. Wait for it." in without
    assert not cycle.replays.exists()


def test_a_cycle_that_runs_updates_its_page_until_it_is_over(
    client: Client, subscription: Subscription
) -> None:
    cycle = make_cycle(subscription, state="RUNNING", verdict="", action="")

    running = text(client, url_of(cycle))
    Cycle.objects.update(state="DONE", verdict="OK", action="HOLD")

    assert f'hx-get="{url_of(cycle)}" hx-trigger="every' in running
    assert "hx-trigger" not in text(client, url_of(cycle))


def test_a_cycle_in_which_no_bot_ran_has_nothing_to_replay(
    client: Client, subscription: Subscription
) -> None:
    cycle = make_cycle(subscription, verdict="UNAVAILABLE", action="", receipt=RECEIPT)

    assert "nothing to run again" in text(client, url_of(cycle))
    assert "no answer in this cycle" in client.post(url_of(cycle, "replay/"), follow=True).content.decode()


@pytest.mark.django_db(transaction=True)
def test_another_versions_decisions_are_asked_for_by_post_alone(
    client: Client, cycle: Cycle, published: list[tuple[str, list[Any]]]
) -> None:
    url = decisions_of(cycle.subscription)

    page, part = text(client, url), text(client, url, **HTMX)
    assert not Comparison.objects.exists()
    assert ('hx-trigger="load, submit"' in page, "<html" in page, "<html" in part) == (True, True, False)
    assert client.post(url).headers["Location"] == url
    assert "Waiting for its turn" in client.post(url, headers=HTMX).content.decode()

    comparison = Comparison.objects.get()
    assert published == [("execution.tasks.run_comparison", [comparison.pk])]
    assert client.get(f"{url}?seen=WAITING", headers=HTMX).status_code == 204


def test_the_share_that_would_have_differed_is_shown_before_moving(
    client: Client, cycle: Cycle, bob: User
) -> None:
    subscription = cycle.subscription
    version = BotVersion.objects.get(number="v1.1.0")
    comparison = reruns.ask_for_comparison(subscription=subscription, version=version, person=bob)
    example = {"cycle": cycle.pk, "closed_at": "2026-03-02T12:00:00+00:00", "then": "BUY", "now": "HOLD"}
    Comparison.objects.filter(pk=comparison.pk).update(
        state="DONE",
        result={
            "asked": 80,
            "different": 4,
            "failed": 1,
            "first_at": "2026-03-01T12:00:00+00:00",
            "last_at": "2026-03-02T12:00:00+00:00",
            "changes": [["BUY", "HOLD", 4], ["BUY", "", 1]],
            "examples": [example | {"reason": ATTACK}],
            "has_asked_account": True,
            "message": "",
        },
    )

    page = text(client, decisions_of(subscription))
    preview = text(client, f"{subscription.get_absolute_url()}version/?to=v1.1.0")

    assert "4 of your newest 80" in page
    assert "(5\N{NO-BREAK SPACE}%)" in page.replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")
    assert "would have failed at 1" in page
    assert "asks what the account holds" in page
    assert ATTACK not in page
    assert f'hx-get="{decisions_of(subscription)}"' in preview


PARTS = ["", "replay/", "receipt.json"]


@pytest.mark.parametrize("part", [*PARTS, "decisions"])
def test_strangers_find_nothing_and_the_anonymous_sign_in(
    client: Client, cycle: Cycle, charlie: User, mona: User, part: str
) -> None:
    url = decisions_of(cycle.subscription) if part == "decisions" else url_of(cycle, part)
    posts = part in ("replay/", "decisions")
    for person in (charlie, mona, cycle.subscription.bot.developer):
        client.force_login(person)
        assert client.get(url).status_code == 404
        assert client.post(url).status_code == (404 if posts else 405)
    client.logout()
    assert client.get(url).status_code == 302
    assert client.get(url, headers=HTMX).status_code in (200, 302)
    assert client.post(url).headers["Location"].startswith("/account")
    assert not Replay.objects.exists()
    assert not Comparison.objects.exists()


def test_what_does_not_exist_is_not_found(client: Client, cycle: Cycle) -> None:
    other = make_cycle(make_subscription())

    assert client.get(f"{cycle.subscription.get_absolute_url()}cycles/{other.pk}/replay/").status_code == 404
    for number in ("v1.0.0", "v9.9.9"):  # its own, and none
        assert client.get(decisions_of(cycle.subscription, number)).status_code == 404
        assert client.post(decisions_of(cycle.subscription, number)).status_code == 404
