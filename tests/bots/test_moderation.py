from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import AuditEntry, User
from bots import drafting, moderation, publishing, storage
from bots.errors import PublishingError
from bots.models import Bot, BotVersion, DeveloperBan, Review
from subscriptions import lifecycle, tasks
from tests.factories import BUYING_BOT, make_bot, make_subscription, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def moderator() -> User:
    return make_user("max")


@pytest.fixture
def waiting(alice: User) -> BotVersion:
    bot = make_bot(alice)
    version = drafting.start_version(bot=bot, number="v1.1.0")
    storage.save_code(version, BUYING_BOT.encode())
    drafting.submit(version=version)
    BotVersion.objects.filter(pk=version.pk).update(state=BotVersion.State.IN_REVIEW)
    version.refresh_from_db()
    return version


def test_an_approved_version_is_what_new_subscribers_get(waiting: BotVersion, moderator: User) -> None:
    kept = make_subscription(bot=waiting.bot)

    moderation.approve(version=waiting, reviewer=moderator, note="Well described.")

    assert waiting.bot.current_version == waiting
    kept.refresh_from_db()
    assert kept.version.number == "v1.0.0"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.object_id) == ("version.approved", moderator, str(waiting.pk))


@pytest.mark.parametrize(
    ("turn_down", "state"),
    [
        (moderation.reject, BotVersion.State.REJECTED),
        (moderation.request_changes, BotVersion.State.CHANGES_REQUESTED),
    ],
    ids=["reject", "request_changes"],
)
def test_a_version_that_is_turned_down_keeps_why(
    waiting: BotVersion, moderator: User, turn_down: Callable[..., Review], state: str
) -> None:
    turn_down(version=waiting, reviewer=moderator, reasons=["UNCLEAR"], note="Say when it sells.")

    waiting.refresh_from_db()
    assert waiting.state == state
    review = waiting.reviews.get()
    assert (review.reasons, review.note) == (["UNCLEAR"], "Say when it sells.")
    assert AuditEntry.objects.get().details["note"] == "Say when it sells."


DECISIONS: list[Callable[[BotVersion, User], object]] = [
    lambda version, by: moderation.approve(version=version, reviewer=by),
    lambda version, by: moderation.reject(version=version, reviewer=by, reasons=["BROKEN"]),
    lambda version, by: moderation.request_changes(version=version, reviewer=by, reasons=["BROKEN"]),
    lambda version, by: moderation.pull(version=version, reviewer=by, reasons=["BROKEN"]),
    lambda version, by: moderation.suspend(bot=version.bot, by=by, reason="Copied."),
    lambda version, by: moderation.ban(developer=version.bot.developer, by=by, reason="Copied."),
]
NAMES = ["approve", "reject", "request_changes", "pull", "suspend", "ban"]


@pytest.mark.parametrize("decide", DECISIONS, ids=NAMES)
def test_nobody_decides_about_their_own_bot(
    waiting: BotVersion, alice: User, decide: Callable[[BotVersion, User], object]
) -> None:
    before = waiting.state, waiting.bot.state

    with pytest.raises(PublishingError, match="own bot|themselves"):
        decide(waiting, alice)

    waiting.refresh_from_db()
    assert (waiting.state, waiting.bot.state) == before
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("decide", DECISIONS[:3], ids=NAMES[:3])
def test_of_two_moderators_the_first_decides(
    waiting: BotVersion, moderator: User, decide: Callable[[BotVersion, User], object]
) -> None:
    moderation.approve(version=waiting, reviewer=make_user("mia"))
    waiting.state = BotVersion.State.IN_REVIEW  # as the second one's page has it

    with pytest.raises(PublishingError, match="published"):
        decide(waiting, moderator)

    assert Review.objects.get().decision == Review.Decision.APPROVED


@pytest.mark.parametrize(
    ("reasons", "note", "field"),
    [([], "", "reasons"), (["UGLY"], "", "reasons"), (["OTHER"], " ", "note")],
    ids=["none", "unknown", "other"],
)
def test_turning_down_needs_a_reason(
    waiting: BotVersion, moderator: User, reasons: list[str], note: str, field: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        moderation.reject(version=waiting, reviewer=moderator, reasons=reasons, note=note)

    assert list(raised.value.message_dict) == [field]


def stop_version(subscription_bot: Bot, moderator: User) -> None:
    version = subscription_bot.versions.get()
    moderation.pull(version=version, reviewer=moderator, reasons=["OTHER"], note="It leaks.")


def stop_bot(subscription_bot: Bot, moderator: User) -> None:
    moderation.suspend(bot=subscription_bot, by=moderator, reason="It leaks.")


@pytest.mark.parametrize("stop", [stop_version, stop_bot], ids=["version", "bot"])
def test_traders_are_told_once_when_what_they_have_is_stopped(
    alice: User,
    bob: User,
    moderator: User,
    stop: Callable[[Bot, User], None],
    letters: Callable[[], list[EmailMessage]],
) -> None:
    bot = make_bot(alice)
    make_subscription(bob, bot=bot)
    make_subscription(bob, bot=bot, timeframe="1h")
    make_subscription(bob)

    stop(bot, moderator)
    for _ in range(2):
        tasks.tell_of_stopped_bot(bot.pk)

    [message] = [letter for letter in letters() if letter.to == [bob.email]]
    assert str(message.body).count("It leaks.") == 2
    assert "the stops that you have set still act" in str(message.body)


def test_stopping_waits_for_an_order_that_may_be_leaving(
    alice: User, moderator: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    bot = make_bot(alice)
    subscription = make_subscription(bot=bot)
    leaves_by = timezone.now() + timedelta(seconds=0.4)
    type(subscription).objects.update(sending_until=leaves_by)
    stop_bot(bot, moderator)

    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.settle_stopped(bot_id=bot.pk)

    assert timezone.now() >= leaves_by


def test_a_lifted_suspension_lists_the_bot_again(alice: User, moderator: User) -> None:
    bot = make_bot(alice)
    moderation.suspend(bot=bot, by=moderator, reason="It leaks.")

    moderation.lift_suspension(bot=bot, by=moderator)

    assert Bot.objects.published().get() == bot
    assert [entry.action for entry in AuditEntry.objects.order_by("number")] == [
        "bot.suspend",
        "bot.lift_suspension",
    ]


def test_a_banned_developer_publishes_nothing_more(waiting: BotVersion, alice: User, moderator: User) -> None:
    draft = drafting.start_version(bot=make_bot(alice), number="v2.0.0")
    storage.save_code(draft, BUYING_BOT.encode())

    moderation.ban(developer=alice, by=moderator, reason="Copies others' bots.")

    waiting.refresh_from_db()
    assert waiting.state == BotVersion.State.WITHDRAWN
    assert set(Bot.objects.by(alice).values_list("state", flat=True)) == {Bot.State.SUSPENDED}
    with pytest.raises(PublishingError, match="Copies others' bots"):
        drafting.submit(version=draft)
    with pytest.raises(PublishingError, match="Copies others' bots"):
        drafting.create_bot(developer=alice, name="Another bot")


def test_a_ban_can_be_lifted_and_what_was_suspended_stays_so(alice: User, moderator: User) -> None:
    bot = make_bot(alice)
    moderation.ban(developer=alice, by=moderator, reason="Copies others' bots.")
    with pytest.raises(PublishingError, match="Lift the ban first"):
        moderation.lift_suspension(bot=bot, by=moderator)

    moderation.lift_ban(developer=alice, by=moderator)

    assert not DeveloperBan.objects.exists()
    assert Bot.objects.get(pk=bot.pk).state == Bot.State.SUSPENDED
    with pytest.raises(PublishingError, match="not banned"):
        moderation.lift_ban(developer=alice, by=moderator)


def test_a_version_that_runs_for_nobody_cannot_be_pulled(waiting: BotVersion, moderator: User) -> None:
    publishing.turn_down(version=waiting, to=BotVersion.State.REJECTED)

    with pytest.raises(PublishingError, match="does not run"):
        moderation.pull(version=waiting, reviewer=moderator, reasons=["BROKEN"])
