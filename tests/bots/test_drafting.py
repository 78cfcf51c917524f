"""What a developer does with bots and versions, and what then is or is not there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import storages
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts.models import User
from bots import drafting, publishing, storage, uploads
from bots.errors import PublishingError
from bots.models import Artifact, Bot, BotVersion, GateRun
from bots.object_stores import VersionedFolder
from tests.factories import BUYING_BOT, make_bot, make_category

pytestmark = pytest.mark.django_db

State = BotVersion.State


def create(developer: User, name: str = "Calm Crosser", **facts: Any) -> Bot:
    told = {"tagline": "Crosses.", "description": "Calmly.", "category": make_category()}
    return drafting.create_bot(developer=developer, name=name, **told | facts)


def start(bot: Bot, number: str = "v1.0.0", *, code: str = BUYING_BOT, **facts: Any) -> BotVersion:
    version = drafting.start_version(bot=bot, number=number, **facts)
    uploads.put_code(version=version, content=code.encode())
    return version


def in_state(version: BotVersion, state: State) -> BotVersion:
    BotVersion.objects.filter(pk=version.pk).update(state=state)
    version.refresh_from_db()
    return version


# --- bots ---------------------------------------------------------------------------------------------


def test_a_new_bot_is_a_draft_with_an_address_of_its_name(alice: User) -> None:
    bot = create(alice, "  Calm   Crosser ", trading_pairs=["btc/usdt"], timeframes=["1h"])

    assert (bot.state, bot.name, bot.slug) == (Bot.State.DRAFT, "Calm Crosser", "calm-crosser")
    assert (bot.trading_pairs, bot.timeframes) == (["BTC/USDT"], ["1h"])


@pytest.mark.parametrize("name", ["calm crosser", "Cаlm Сrosser", "CALM-CR0SSER", "Calm Crösser"])
def test_a_name_that_looks_like_another_bots_is_refused(alice: User, bob: User, name: str) -> None:
    create(alice)

    with pytest.raises(ValidationError) as caught:
        create(bob, name)

    assert caught.value.message_dict == {
        "name": ["Another bot has this name, or one that looks like it. Choose another."]
    }


def test_a_name_whose_address_is_another_bots_is_refused(alice: User) -> None:
    create(alice, "Орёл A1")

    with pytest.raises(ValidationError, match="Another bot has this name"):
        create(alice, "Сокол A1")


def test_the_longest_name_in_any_alphabet_can_be_stored(alice: User) -> None:
    assert create(alice, "각" * 79 + "a").slug == "a"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": "a" * 81}, "name"),
        ({"name": "B\u202eot"}, "name"),
        ({"tagline": "x\u200by"}, "tagline"),
        ({"tagline": "x" * 141}, "tagline"),
        ({"description": "nul \x00"}, "description"),
        ({"description": "[" * 100_000}, "description"),
        ({"price_per_month": "0.001"}, "price_per_month"),
        ({"price_per_month": "-5"}, "price_per_month"),
        ({"price_per_month": "1e9"}, "price_per_month"),
        ({"price_per_month": "NaN"}, "price_per_month"),
        ({"trial_days": 91}, "trial_days"),
        ({"bot_type": "MAGIC"}, "bot_type"),
        ({"trading_pairs": ["BTC/USDT; DROP"]}, "trading_pairs"),
        ({"timeframes": ["7m"]}, "timeframes"),
        ({"promised_max_drawdown_percent": "101"}, "promised_max_drawdown_percent"),
        ({"promised_trades_per_week": "-1"}, "promised_trades_per_week"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(alice: User, facts: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        create(alice, **facts)

    assert list(caught.value.message_dict) == [field]
    assert not Bot.objects.exists()


def test_an_edit_that_is_refused_changes_nothing(alice: User) -> None:
    bot = create(alice)

    with pytest.raises(ValidationError):
        drafting.edit_bot(bot=bot, tagline="New.", trial_days=1000)

    assert Bot.objects.get().tagline == "Crosses."


def test_a_developer_cannot_set_a_bots_name_or_state(alice: User) -> None:
    bot = create(alice)

    for facts in ({"name": "Other"}, {"state": "LISTED"}, {"slug": "other"}, {"developer": alice}):
        with pytest.raises(TypeError, match="cannot set"):
            drafting.edit_bot(bot=bot, **facts)


# --- versions -----------------------------------------------------------------------------------------


def test_the_next_numbers_are_a_correction_something_new_and_a_break(alice: User) -> None:
    bot = create(alice)
    assert drafting.next_numbers(bot) == ("v1.0.0", "v0.1.0")

    start(bot, "v1.9.9")

    assert drafting.next_numbers(bot) == ("v1.9.10", "v1.10.0", "v2.0.0")


@pytest.mark.parametrize(
    "number", ["v1.10.0", "v1.9.9", "v0.99.99", "1.11.0", "v1.11", "v01.11.0", "v2.0.0\n", "", "../x"]
)
def test_a_number_has_three_parts_and_is_above_every_earlier_one(alice: User, number: str) -> None:
    bot = create(alice)
    in_state(start(bot, "v1.10.0"), State.WITHDRAWN)

    with pytest.raises(ValidationError) as caught:
        drafting.start_version(bot=bot, number=number)

    assert list(caught.value.message_dict) == ["number"]


def test_a_version_may_begin_with_the_files_of_an_earlier_one(alice: User) -> None:
    bot = create(alice)
    first = start(bot)
    uploads.put_model(version=first, kind="CONFIG", filename="a.json", content=b"{}", framework="mine")

    second = drafting.start_version(bot=bot, number="v1.0.1", copy_of=first)

    assert storage.read_code(second) == BUYING_BOT
    copied = second.artifacts.get(kind="CONFIG")
    assert (copied.filename, copied.framework) == ("a.json", "mine")
    assert copied.key != first.artifacts.get(kind="CONFIG").key


def test_a_discarded_draft_leaves_neither_rows_nor_files(
    alice: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    version = start(create(alice))
    store: Any = storages["artifacts"]
    assert len(list(store.listing("bots/"))) == 1

    with django_capture_on_commit_callbacks(execute=True):
        drafting.discard(version=version)

    assert not BotVersion.objects.exists()
    assert not Artifact.objects.exists()
    assert not list(store.listing("bots/"))


def test_a_draft_that_was_deleted_meanwhile_takes_nothing(alice: User) -> None:
    draft = start(create(alice))
    drafting.discard(version=draft)

    with pytest.raises(PublishingError, match="deleted meanwhile"):
        uploads.put_code(version=draft, content=BUYING_BOT.encode())


def test_release_notes_change_until_the_version_is_submitted(alice: User) -> None:
    version = start(create(alice))
    drafting.write_notes(version=version, release_notes="Sells *later*.\r\n")
    assert BotVersion.objects.get().release_notes == "Sells *later*."

    drafting.submit(version=version)

    with pytest.raises(PublishingError, match="cannot change"):
        drafting.write_notes(version=version, release_notes="x")


def test_submitting_hands_the_version_to_the_gate(
    alice: User,
    published: list[tuple[str, list[Any]]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    version = start(create(alice))

    with django_capture_on_commit_callbacks(execute=True):
        drafting.submit(version=version)

    version.refresh_from_db()
    assert version.state == State.CHECKING
    assert version.submitted_at is not None
    assert version.gate.state == GateRun.State.WAITING
    assert published == [(drafting.GATE_TASK, [version.gate.pk])]


def test_a_draft_without_code_cannot_be_submitted(alice: User) -> None:
    version = drafting.start_version(bot=create(alice), number="v1.0.0")

    with pytest.raises(PublishingError, match="no code yet"):
        drafting.submit(version=version)


@pytest.mark.parametrize("state", [Bot.State.SUSPENDED, Bot.State.RETIRED])
def test_a_bot_that_is_not_offered_takes_no_version(alice: User, state: Bot.State) -> None:
    version = start(create(alice))
    Bot.objects.update(state=state)

    with pytest.raises(PublishingError, match="Calm Crosser is"):
        drafting.submit(version=version)


def test_no_more_than_a_few_versions_of_a_developer_are_checked_at_a_time(alice: User) -> None:
    versions = [start(create(alice, f"Bot {name}")) for name in ("One", "Two", "Three", "Four")]
    for version in versions[:3]:
        drafting.submit(version=version)

    with pytest.raises(PublishingError, match="3 of your versions are being checked"):
        drafting.submit(version=versions[3])


@pytest.mark.parametrize("state", [state for state in State if state != State.DRAFT])
def test_what_is_no_draft_is_neither_changed_nor_submitted_nor_discarded(alice: User, state: State) -> None:
    version = in_state(start(create(alice)), state)
    deeds: list[Callable[[], object]] = [
        lambda: drafting.submit(version=version),
        lambda: drafting.discard(version=version),
        lambda: drafting.write_notes(version=version, release_notes=""),
        lambda: uploads.put_code(version=version, content=b"x = 1\n"),
        lambda: uploads.remove_file(version=version, artifact=version.artifacts.get()),
    ]

    for deed in deeds:
        with pytest.raises(PublishingError, match="cannot change"):
            deed()


@pytest.mark.parametrize("state", [State.CHECKING, State.IN_REVIEW])
def test_a_version_that_waits_can_be_withdrawn_and_its_checks_end(alice: User, state: State) -> None:
    version = start(create(alice))
    drafting.submit(version=version)
    in_state(version, state)

    drafting.withdraw(version=version)

    assert version.state == State.WITHDRAWN
    assert GateRun.objects.get().state == GateRun.State.CANCELED


@pytest.mark.parametrize("state", [State.DRAFT, State.PUBLISHED, State.FAILED, State.PULLED])
def test_what_does_not_wait_cannot_be_withdrawn(alice: User, state: State) -> None:
    version = in_state(start(create(alice)), state)

    with pytest.raises(PublishingError, match="cannot be withdrawn"):
        drafting.withdraw(version=version)


# --- what is published --------------------------------------------------------------------------------


def test_the_first_published_version_lists_its_bot(alice: User) -> None:
    bot = create(alice)
    version = in_state(start(bot), State.IN_REVIEW)

    publishing.publish(version=version)

    assert version.published_at is not None
    assert list(Bot.objects.published()) == [bot]


def test_a_version_that_was_withdrawn_meanwhile_is_not_published(alice: User) -> None:
    bot = create(alice)
    version = in_state(start(bot), State.IN_REVIEW)
    drafting.withdraw(version=BotVersion.objects.get())

    with pytest.raises(PublishingError, match="withdrawn"):
        publishing.publish(version=version)

    assert not Bot.objects.published().exists()


def test_a_retired_version_is_not_offered_but_may_run_and_be_offered_again() -> None:
    bot = make_bot()
    version = bot.versions.get()

    publishing.retire(version=version)
    assert version.may_run
    assert bot.current_version is None

    publishing.offer_again(version=version)
    assert bot.current_version == version


def test_rolling_back_has_new_subscribers_get_an_earlier_version() -> None:
    bot = make_bot()
    first = bot.versions.get()
    for number in ("v1.1.0", "v2.0.0"):
        publishing.publish_version(bot=bot, number=number, code=BUYING_BOT)
    publishing.retire(version=first)

    publishing.roll_back(version=first)

    assert bot.current_version == first
    states = dict(bot.versions.values_list("number", "state"))
    assert states == {"v1.0.0": State.PUBLISHED, "v1.1.0": State.RETIRED, "v2.0.0": State.RETIRED}


@pytest.mark.parametrize("state", [State.DRAFT, State.REJECTED, State.QUARANTINED, State.PULLED])
def test_rolling_back_to_what_may_not_run_changes_nothing(state: State) -> None:
    bot = make_bot()
    first = in_state(bot.versions.get(), state)
    newer = publishing.publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)

    with pytest.raises(PublishingError, match="cannot be offered"):
        publishing.roll_back(version=first)

    assert bot.current_version == newer


def test_a_bot_is_retired_for_good_and_only_when_it_is_listed(alice: User) -> None:
    bot = make_bot(alice)

    publishing.retire_bot(bot=bot)
    assert bot.state == Bot.State.RETIRED

    for other in (bot, create(alice)):
        with pytest.raises(PublishingError, match="only a listed bot"):
            publishing.retire_bot(bot=other)


class SubmittingFolder(VersionedFolder):
    """Storage so slow that a developer submits the draft as soon as it has code."""

    def put(self, key: str, content: bytes) -> str:
        draft = BotVersion.objects.filter(state=State.DRAFT, artifacts__kind="CODE").first()
        if draft:
            drafting.submit(version=draft)
        return super().put(key, content)


def test_a_version_that_is_submitted_while_files_are_copied_gets_no_more(
    alice: User, settings: Settings, tmp_path: Path
) -> None:
    bot = create(alice)
    first = in_state(start(bot), State.WITHDRAWN)
    storage.save_model(first, Artifact.Kind.MODEL, "scaler.json", b"[1]")
    place = {"BACKEND": f"{__name__}.SubmittingFolder", "OPTIONS": {"location": tmp_path / "artifacts"}}
    settings.STORAGES = settings.STORAGES | {"artifacts": place}

    made = drafting.start_version(bot=bot, number="v1.1.0", copy_of=first)

    made.refresh_from_db()
    assert (made.state, made.artifacts.count()) == (State.DRAFT, 2)


def test_a_draft_that_got_files_meanwhile_is_not_mixed_with_those_of_another(alice: User) -> None:
    bot = create(alice)
    first = in_state(start(bot), State.WITHDRAWN)
    draft = start(bot, "v1.1.0", code="x = 1\n")

    with pytest.raises(PublishingError, match="meanwhile"):
        drafting._copy_files(first, draft)

    assert storage.read_code(draft) == "x = 1\n"
    assert draft.artifacts.count() == 1
