"""A bot that was never published is deleted by its developer; and what is gone is told plainly."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts.models import AuditEntry, User
from bots import clearing, drafting, publishing, storage, uploads
from bots.errors import ArtifactError, PublishingError
from bots.models import Bot, BotVersion, GateRun, Review
from bots.object_stores import ObjectStore
from tests.bots.conftest import stored_in
from tests.factories import BUYING_BOT, Program, make_bot, make_category, sign_in_staff

pytestmark = pytest.mark.django_db

State = BotVersion.State


def create(developer: User, name: str = "Calm Crosser") -> Bot:
    told = {"tagline": "Crosses.", "description": "Calmly.", "category": make_category()}
    return drafting.create_bot(developer=developer, name=name, **told)


def start(bot: Bot, number: str = "v1.0.0") -> BotVersion:
    version = drafting.start_version(bot=bot, number=number)
    uploads.put_code(version=version, content=BUYING_BOT.encode())
    return version


@pytest.mark.parametrize("way", ["page", "program"])
def test_a_bot_that_was_never_published_is_deleted_with_its_files(
    alice: User,
    store: ObjectStore,
    client: Client,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    way: str,
) -> None:
    bot = create(alice)
    failed = start(bot)
    BotVersion.objects.filter(pk=failed.pk).update(state=State.FAILED)
    GateRun.objects.create(version=failed)
    start(bot, "v1.0.1")
    client.force_login(alice)
    assert "Delete it for good" in client.get(bot.developers_url).content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        if way == "page":
            answer = client.post(f"{bot.developers_url}delete/", follow=True)
            assert "Calm Crosser and all its files are gone." in answer.content.decode()
        else:
            assert Program(alice).delete(f"/api/bots/{bot.pk}/").status_code == 204

    assert not Bot.objects.exists()
    assert not BotVersion.objects.exists()
    assert list(stored_in().listing(f"bots/{bot.pk}/")) == []
    create(alice)  # its name is free again


def judge(version: BotVersion, mona: User) -> None:
    BotVersion.objects.filter(pk=version.pk).update(state=State.REJECTED)
    Review.objects.create(version=version, reviewer=mona, decision="REJECTED", note="No.")


def keys_of(bot: Bot) -> list[str]:
    return sorted(each.object.key for each in stored_in().listing(f"bots/{bot.pk}/"))


def test_of_a_deleted_bot_staff_keep_what_they_judged_and_nobody_else_sees_it(
    alice: User,
    mona: User,
    client: Client,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.DEVELOPER_MAX_BOTS = 1
    bot = create(alice)
    rejected = start(bot)
    judge(rejected, mona)
    start(bot, "v1.0.1")
    client.force_login(alice)
    assert "our staff keep those that they judged" in client.get(bot.developers_url).content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"{bot.developers_url}delete/", follow=True)

    assert "Staff keep the versions that they judged." in answer.content.decode()
    assert keys_of(bot) == [f"bots/{bot.pk}/code/v1.0.0/bot.py"]
    assert (Bot.objects.get().state, Review.objects.get().version) == (Bot.State.DELETED, rejected)
    assert AuditEntry.objects.filter(action="bot.delete", actor=alice, object_id=str(bot.pk)).exists()
    for address in (bot.developers_url, rejected.developers_url, f"/api/bots/{bot.pk}/"):
        assert client.get(address).status_code == 404
    assert Program(alice).delete(f"/api/bots/{bot.pk}/").status_code == 404
    create(alice)  # its name is free again, and its place
    sign_in_staff(client, mona)  # who reads all bots, at the address of both
    assert client.get(bot.get_absolute_url()).context["bot"].state == Bot.State.DRAFT


def test_files_that_nobody_needs_go_after_90_days(alice: User, mona: User, client: Client) -> None:
    bot = create(alice)
    now = timezone.now()
    withdrawn, failed, rejected, fresh = (start(bot, f"v1.0.{number}") for number in range(4))
    BotVersion.objects.filter(pk=withdrawn.pk).update(state=State.WITHDRAWN, stopped_at=now)
    BotVersion.objects.filter(pk=failed.pk).update(state=State.FAILED, submitted_at=now)
    judge(rejected, mona)
    BotVersion.objects.filter(pk=fresh.pk).update(state=State.WITHDRAWN, stopped_at=now + timedelta(days=2))
    client.force_login(alice)
    assert "kept for 90 days" in client.get(withdrawn.developers_url).content.decode()

    assert clearing.clear(now + timedelta(days=90)) == 0
    assert clearing.clear(now + timedelta(days=91)) == 2

    assert keys_of(bot) == [f"bots/{bot.pk}/code/v1.0.{number}/bot.py" for number in (2, 3)]
    withdrawn.refresh_from_db()
    with pytest.raises(ArtifactError, match="were removed on"):
        storage.read_code(withdrawn)
    html = client.get(withdrawn.developers_url).content.decode()
    assert "it was never offered" in html
    assert "kept for 90 days." in html
    assert clearing.clear(now + timedelta(days=91)) == 0


def test_what_was_never_offered_may_only_take_so_much_room(alice: User, settings: Settings) -> None:
    settings.DEVELOPER_MAX_UNPUBLISHED_MB = 1
    bot = create(alice)
    first = start(bot)
    uploads.put_model(version=first, kind="MODEL", filename="a.json", content=b"[" + b" " * 600_000 + b"]")
    BotVersion.objects.filter(pk=first.pk).update(state=State.REJECTED)
    second = start(bot, "v1.0.1")

    for deed in (
        lambda: uploads.put_model(
            version=second, kind="MODEL", filename="b.json", content=b"[" + b" " * 600_000 + b"]"
        ),
        lambda: drafting.start_version(bot=bot, number="v1.0.2", copy_of=first),
    ):
        with pytest.raises(PublishingError, match="may have 1 MB of files together"):
            deed()

    assert set(bot.versions.values_list("number", flat=True)) == {"v1.0.0", "v1.0.1"}
    assert second.artifacts.count() == 1
    BotVersion.objects.filter(pk=first.pk).update(state=State.PUBLISHED)
    drafting.start_version(bot=bot, number="v1.0.2", copy_of=first)


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (lambda bot: publishing.publish(version=bot.versions.get(), was=State.DRAFT), "only drafts are"),
        (lambda bot: drafting.submit(version=bot.versions.get()), "Withdraw it first"),
    ],
)
def test_what_others_have_seen_of_a_bot_stays(
    alice: User, client: Client, happens: Callable[[Bot], object], message: str
) -> None:
    bot = create(alice)
    start(bot)
    happens(bot)
    client.force_login(alice)

    shown = client.post(f"{bot.developers_url}delete/", follow=True)
    told = Program(alice).delete(f"/api/bots/{bot.pk}/")

    assert message in shown.content.decode()
    assert (told.status_code, message in told.json()["error"]["message"]) == (409, True)
    assert bot.versions.count() == 1


def test_what_was_deleted_meanwhile_is_told_so(alice: User) -> None:
    bot = create(alice)
    version = start(bot)
    bot_of_page, version_of_page = Bot.objects.get(), BotVersion.objects.select_related("bot").get()
    drafting.delete_bot(bot=bot)

    for deed in (
        lambda: drafting.edit_bot(bot=bot_of_page, tagline="New."),
        lambda: drafting.start_version(bot=bot_of_page, number="v2.0.0"),
        lambda: drafting.open_draft(bot=bot_of_page, number="v2.0.0").__enter__(),
        lambda: drafting.delete_bot(bot=bot_of_page),
        lambda: drafting.write_notes(version=version_of_page, release_notes="New."),
        lambda: drafting.discard(version=version_of_page),
        lambda: drafting.submit(version=version_of_page),
        lambda: drafting.withdraw(version=version_of_page),
        lambda: uploads.put_code(version=version_of_page, content=BUYING_BOT.encode()),
        lambda: publishing.retire(version=version_of_page),
        lambda: publishing.offer_again(version=version_of_page),
        lambda: publishing.roll_back(version=version_of_page),
        lambda: publishing.publish(version=version_of_page),
        lambda: publishing.retire_bot(bot=bot_of_page),
    ):
        with pytest.raises(PublishingError, match="was deleted meanwhile"):
            deed()
    assert version.artifacts.count() == 0


def test_a_developer_has_so_many_bots_and_no_more(alice: User, bob: User, settings: Settings) -> None:
    settings.DEVELOPER_MAX_BOTS = 2
    make_bot(alice)
    bot = create(alice)

    with pytest.raises(PublishingError, match="You have 2 bots, as many as a developer may have"):
        create(alice, "Third One")

    create(bob, "Third One")
    drafting.delete_bot(bot=bot)
    create(alice, "Fourth One")


def test_a_developer_has_so_many_drafts_and_no_more(alice: User, client: Client, settings: Settings) -> None:
    settings.DEVELOPER_MAX_DRAFTS = 2
    bot, other = create(alice), make_bot(alice)
    first = start(bot)
    start(other, "v1.1.0")
    client.force_login(alice)

    shown = client.post(f"{bot.developers_url}new/", {"number": "v1.0.1", "release_notes": ""})
    told = Program(alice).send(
        f"/api/bots/{bot.pk}/upload-code", {"version": "v1.0.1", "code_content": BUYING_BOT}
    )

    assert "You have 2 drafts of versions" in shown.content.decode()
    assert (told.status_code, "You have 2 drafts" in told.json()["error"]["message"]) == (409, True)
    assert bot.versions.count() == 1
    drafting.submit(version=first)
    start(bot, "v1.0.1")
