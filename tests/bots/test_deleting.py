"""A bot that was never published is deleted by its developer; and what is gone is told plainly."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts.models import User
from bots import drafting, publishing, uploads
from bots.errors import PublishingError
from bots.models import Bot, BotVersion, GateRun, Review
from bots.object_stores import ObjectStore
from tests.bots.conftest import stored_in
from tests.factories import BUYING_BOT, Program, make_bot, make_category

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


def judged(bot: Bot, mona: User) -> None:
    version = bot.versions.get()
    BotVersion.objects.filter(pk=version.pk).update(state=State.REJECTED)
    Review.objects.create(version=version, reviewer=mona, decision="REJECTED", note="No.")


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (lambda bot, _: publishing.publish(version=bot.versions.get(), was=State.DRAFT), "only drafts are"),
        (lambda bot, _: drafting.submit(version=bot.versions.get()), "Withdraw it first"),
        (judged, "Staff have judged a version"),
    ],
)
def test_what_others_have_seen_of_a_bot_stays(
    alice: User, mona: User, client: Client, happens: Callable[[Bot, User], object], message: str
) -> None:
    bot = create(alice)
    start(bot)
    happens(bot, mona)
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
