"""The admin's pages on which staff decide about versions."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEntry, User
from bots import drafting, publishing, reading, storage
from bots.models import Bot, BotVersion, DeveloperBan, GateRun, GateStep, Review
from marketplace import roles
from tests.factories import BUYING_BOT, make_bot, make_staff, sign_in_staff

pytestmark = pytest.mark.django_db

QUEUE = "/admin/bots/versiontoreview/"
LINE = 3


def make_waiting(alice: User, *, days: int = 1) -> BotVersion:
    version = drafting.start_version(bot=make_bot(alice), number="v1.1.0", release_notes="Sells <b>later.")
    storage.save_code(version, (BUYING_BOT + "# </pre><script>alert(1)</script>\n").encode())
    drafting.submit(version=version)
    submitted_at = timezone.now() - timedelta(days=days)
    BotVersion.objects.filter(pk=version.pk).update(
        state=BotVersion.State.IN_REVIEW, submitted_at=submitted_at
    )
    gate = GateRun.objects.get(version=version)
    evidence = [{"line": LINE, "message": "It <i>prints.", "code": "prints"}]
    GateStep.objects.create(gate=gate, code="policy", position=1, state="ADVICE", evidence=evidence)
    version.refresh_from_db()
    return version


@pytest.fixture
def waiting(alice: User) -> BotVersion:
    return make_waiting(alice)


@pytest.fixture
def moderator(client: Client) -> User:
    person = make_staff("max", roles.MODERATOR)
    sign_in_staff(client, person)
    return person


def page_of(version: BotVersion) -> str:
    return f"{QUEUE}{version.pk}/change/"


def test_the_queue_begins_with_what_has_waited_longest(client: Client, moderator: User, alice: User) -> None:
    new, old = make_waiting(alice, days=1), make_waiting(alice, days=3)
    decided = make_waiting(alice, days=5)
    BotVersion.objects.filter(pk=decided.pk).update(state=BotVersion.State.REJECTED)

    text = client.get(QUEUE).text

    assert text.index(old.bot.name) < text.index(new.bot.name)
    assert decided.bot.name not in text
    assert decided.bot.name in client.get(QUEUE, {"state": "all"}).text


def test_the_queue_costs_the_same_for_many_versions(
    client: Client, moderator: User, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def count() -> int:
        with django_assert_num_queries(11) as queries:
            client.get(QUEUE)
        return len(queries)

    make_waiting(alice)
    one = count()
    for _ in range(3):
        make_waiting(alice)

    assert count() == one


def test_the_page_has_what_a_decision_needs_and_notes_who_read_it(
    client: Client, moderator: User, waiting: BotVersion
) -> None:
    text = client.get(page_of(waiting)).text

    assert "Sells &lt;b&gt;later." in text
    assert "It &lt;i&gt;prints." in text
    assert f'class="review-line review-found" id="L{LINE}"' in text
    assert "Changes since v1.0.0, the last one approved" in text
    assert "alert(1)" in text
    assert "<script>alert" not in text
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.object_id) == ("version.read", moderator, str(waiting.pk))


def test_a_moderator_approves_on_the_page(client: Client, moderator: User, waiting: BotVersion) -> None:
    answer = client.post(page_of(waiting), {"decision": "approve", "approve-note": "Well done."})

    assert (answer.status_code, answer.headers["Location"]) == (302, QUEUE)
    waiting.refresh_from_db()
    assert waiting.state == BotVersion.State.PUBLISHED
    assert Review.objects.get().note == "Well done."


def test_a_rejection_without_a_reason_comes_back_with_what_was_written(
    client: Client, moderator: User, waiting: BotVersion
) -> None:
    answer = client.post(page_of(waiting), {"decision": "reject", "reject-note": "Line 3 prints."})

    assert answer.status_code == 400
    assert "Choose at least one reason." in answer.text
    assert "Line 3 prints." in answer.text
    waiting.refresh_from_db()
    assert waiting.state == BotVersion.State.IN_REVIEW


def test_what_another_moderator_decided_meanwhile_stays(
    client: Client, moderator: User, waiting: BotVersion
) -> None:
    BotVersion.objects.filter(pk=waiting.pk).update(state=BotVersion.State.REJECTED)

    answer = client.post(page_of(waiting), {"decision": "approve"})

    assert "cannot be decided any more" in answer.text
    waiting.refresh_from_db()
    assert waiting.state == BotVersion.State.REJECTED


def test_pulling_suspending_and_banning_are_on_the_page(
    client: Client, moderator: User, alice: User, waiting: BotVersion
) -> None:
    version = waiting.bot.versions.get(number="v1.0.0")

    client.post(page_of(version), {"decision": "pull", "pull-reasons": ["HARMFUL"]})
    client.post(page_of(version), {"decision": "ban", "ban-reason": "It leaks."})

    version.refresh_from_db()
    assert version.state == BotVersion.State.PULLED
    assert DeveloperBan.objects.get().developer == alice
    assert Bot.objects.get(pk=version.bot_id).state == Bot.State.SUSPENDED
    client.post(page_of(version), {"decision": "lift_ban"})
    client.post(page_of(version), {"decision": "lift_suspension"})
    assert Bot.objects.get(pk=version.bot_id).state == Bot.State.LISTED


def test_nobody_is_offered_a_decision_about_their_own_bot(client: Client, alice: User) -> None:
    own = make_waiting(alice)
    make_staff("max", roles.MODERATOR)
    User.objects.filter(pk=alice.pk).update(is_staff=True)  # who became staff after publishing
    alice.refresh_from_db()
    alice.groups.add(Group.objects.get(name=roles.MODERATOR))
    sign_in_staff(client, alice)

    text = client.get(page_of(own)).text
    answer = client.post(page_of(own), {"decision": "approve"})

    assert "another moderator decides" in text
    assert '<h2 id="decide-title">' not in text
    assert answer.status_code == 403


@pytest.mark.parametrize("role", [roles.FINANCE, roles.OPERATOR])
def test_other_staff_see_no_code(client: Client, waiting: BotVersion, role: str) -> None:
    sign_in_staff(client, make_staff("nina", role))

    for url in (QUEUE, page_of(waiting), f"{QUEUE}{waiting.pk}/package.zip"):
        assert client.get(url).status_code == 403


def test_the_package_is_downloaded_and_noted(client: Client, moderator: User, waiting: BotVersion) -> None:
    answer = client.get(f"{QUEUE}{waiting.pk}/package.zip")

    assert b"".join(answer).startswith(b"PK")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert AuditEntry.objects.get().action == "version.download"


@pytest.mark.parametrize("pk", ["0", "x", "99999999", "9" * 30])
def test_there_is_no_page_of_a_version_that_is_not(client: Client, moderator: User, pk: str) -> None:
    assert client.get(f"{QUEUE}{pk}/change/").status_code == 404
    draft = drafting.start_version(bot=make_bot(), number="v2.0.0")
    assert client.get(page_of(draft)).status_code == 404


def test_a_moderator_gives_no_bot_to_somebody_else_and_no_new_name(
    client: Client, moderator: User, alice: User
) -> None:
    bot = make_bot(moderator)
    data = {"developer": alice.pk, "name": "Other", "slug": "other", "tagline": "New.", "description": "D."}
    data |= {"category": bot.category_id, "bot_type": "TECHNICAL", "price_per_month": 0, "trial_days": 0}
    data |= {"trading_pairs": "[]", "timeframes": "[]"}
    data |= {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}

    assert client.post(f"/admin/bots/bot/{bot.pk}/change/", data).status_code == 302

    changed = Bot.objects.get(pk=bot.pk)
    assert (changed.tagline, changed.developer, changed.name, changed.slug) == (
        "New.",
        moderator,
        bot.name,
        bot.slug,
    )


def test_nothing_of_a_version_is_edited_by_hand(client: Client, moderator: User, alice: User) -> None:
    version = make_bot(alice).versions.get()
    data = {"is_stateless": "on", "submitted_at_0": "2020-01-01", "submitted_at_1": "00:00"}
    data |= {
        "published_at_0": "",
        "published_at_1": "",
        "artifacts-TOTAL_FORMS": "0",
        "artifacts-INITIAL_FORMS": "0",
    }

    client.post(f"/admin/bots/botversion/{version.pk}/change/", data)

    before, after = vars(version), vars(BotVersion.objects.get(pk=version.pk))
    assert {name: after[name] for name in after if name != "_state"} == {
        name: before[name] for name in before if name not in ("_state", "_prefetched_objects_cache")
    }


def test_nobody_releases_their_own_version_from_quarantine(client: Client, moderator: User) -> None:
    version = make_bot(moderator).versions.get()
    publishing.quarantine(version, "It hung.")

    client.post(
        "/admin/bots/botversion/", {"action": "release", "_selected_action": [version.pk]}, follow=True
    )

    version.refresh_from_db()
    assert version.state == BotVersion.State.QUARANTINED
    assert not AuditEntry.objects.exists()


def test_the_reviewer_sees_code_to_its_last_line_or_is_told(
    client: Client, moderator: User, alice: User
) -> None:
    version = drafting.start_version(bot=make_bot(alice), number="v1.1.0")
    storage.save_code(version, BUYING_BOT.encode() + b"\n" * reading.MOST_LINES_SHOWN + b"unseen = 1\n")
    drafting.submit(version=version)

    text = client.get(page_of(version)).text

    assert "unseen = 1" not in text
    assert f"Only its first {reading.MOST_LINES_SHOWN:,} lines" in text
