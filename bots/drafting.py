"""What a developer does with a bot and with a version before anybody else sees it.

Whoever may publish nothing, staff and whom they have banned, may still take away: withdraw, discard, delete,
and retire. All that adds or changes something raises MayNotPublish for them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import kombu.exceptions
from celery import current_app
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils import timezone

from accounts import audit
from accounts.models import User
from bots import packages, storage
from bots.errors import MayNotPublish, PublishingError
from bots.facts import CLEANERS, clean_markdown
from bots.models import Artifact, Bot, BotVersion, DeveloperBan, GateRun, Review
from bots.names import clean_name, skeleton, slug_of

logger = logging.getLogger(__name__)

GATE_TASK = "execution.tasks.run_gate"
MOST_UNFINISHED = 3  # versions of one developer that are checked at a time
WITHDRAWABLE = (BotVersion.State.CHECKING, BotVersion.State.IN_REVIEW)
EDITABLE = (
    "tagline",
    "description",
    "bot_type",
    "category",
    "price_per_month",
    "trial_days",
    "trading_pairs",
    "timeframes",
    "promised_trades_per_week",
    "promised_max_drawdown_percent",
)


def create_bot(*, developer: User, name: str, **facts: Any) -> Bot:
    """Create a draft of a bot; `facts` are fields of EDITABLE. Its name and address never change.

    Raises ValidationError by field, for a name that looks like another bot's too, MayNotPublish, and
    PublishingError when the developer has as many bots as they may have.
    """
    check_may_publish(developer)
    try:
        cleaned = clean_name(name)
    except ValidationError as error:
        raise ValidationError({"name": error.messages}) from error
    bot = Bot(developer=developer, name=cleaned, name_skeleton=skeleton(cleaned), slug=slug_of(cleaned))
    _set(bot, facts)
    taken = ValidationError({"name": "Another bot has this name, or one that looks like it. Choose another."})
    alike = Bot.objects.filter(Q(name_skeleton=bot.name_skeleton) | Q(slug=bot.slug))
    if alike.exclude(state=Bot.State.DELETED).exists():
        raise taken
    bot.full_clean(exclude=["name_skeleton"])
    try:
        with transaction.atomic():
            _hold(developer)
            offered = Bot.objects.by(developer).exclude(state=Bot.State.RETIRED)
            if offered.count() >= settings.DEVELOPER_MAX_BOTS:
                raise PublishingError(
                    f"You have {settings.DEVELOPER_MAX_BOTS} bots, as many as a developer may have. Delete a "
                    "draft or retire one first."
                )
            bot.save()
    except IntegrityError as error:
        raise taken from error
    return bot


def edit_bot(*, bot: Bot, **facts: Any) -> Bot:
    """Change fields of EDITABLE. Raises ValidationError by field, MayNotPublish, and PublishingError when the
    bot was deleted; then changes nothing.
    """
    check_may_publish(bot.developer)
    _set(bot, facts)
    bot.full_clean(exclude=["name_skeleton"])
    with transaction.atomic():
        locked_bot(bot)
        bot.save(update_fields=list(facts))
    return bot


def delete_bot(*, bot: Bot) -> bool:
    """Delete a bot that was never published, with its versions and their files; whether all of it is gone.

    It is not where staff have judged a version: what they said is kept, and what they said it of. Nobody but
    staff sees that any more, and the bot's name is free again. Raises PublishingError when it was published,
    and when a version waits for checks or review.
    """
    with transaction.atomic():
        _hold(bot.developer)  # so that nothing is begun or submitted meanwhile
        found = locked_bot(bot)
        if found.state != Bot.State.DRAFT:
            raise PublishingError(f"{found} is {found.get_state_display().lower()}: only drafts are deleted.")
        if found.versions.filter(state__in=WITHDRAWABLE).exists():
            raise PublishingError("One of its versions is being checked or reviewed. Withdraw it first.")
        list(found.versions.select_for_update(of=["self"]))  # an upload that is under way comes to its end
        judged = Review.objects.filter(version__bot=found).values("version")
        unseen = found.versions.exclude(pk__in=judged)
        objects = list(Artifact.objects.filter(version__in=unseen).values_list("key", "object_version"))
        is_kept = judged.exists()
        if is_kept:
            unseen.delete()
            found.state = Bot.State.DELETED
            found.save(update_fields=["state"])
            audit.record(actor=found.developer, action="bot.delete", target=found)
        else:
            found.delete()
        transaction.on_commit(lambda: storage.delete(objects))
    return not is_kept


def start_version(
    *, bot: Bot, number: str, release_notes: str = "", copy_of: BotVersion | None = None
) -> BotVersion:
    """Begin a draft of the bot's version `number`, with the files of `copy_of` when that is given.

    Raises ValidationError when the number is malformed, taken, or not above every earlier one; MayNotPublish;
    ArtifactError when a file to copy cannot be read; PublishingError when the bot was deleted, when the
    developer has as many drafts as they may have, and when the draft was changed before files were copied.
    Then nothing is left, but for what was submitted meanwhile.
    """
    check_may_publish(bot.developer)
    version = add_draft(bot=bot, number=number, release_notes=release_notes)
    if copy_of is not None:
        try:
            _copy_files(copy_of, version)
        except BaseException:
            discard(version=version)
            raise
    return version


def add_draft(*, bot: Bot, number: str, release_notes: str) -> BotVersion:
    """Begin a draft for whoever asks, as the operator may; raises as `start_version` does else."""
    version = BotVersion(bot=bot, number=number, release_notes=_clean_notes(release_notes))
    version.full_clean(exclude=["bot"], validate_constraints=False)
    with transaction.atomic():
        _hold(bot.developer)
        locked_bot(bot)  # one after the other, or two might take one number
        drafts = BotVersion.objects.by(bot.developer).filter(state=BotVersion.State.DRAFT)
        if drafts.count() >= settings.DEVELOPER_MAX_DRAFTS:
            raise PublishingError(
                f"You have {settings.DEVELOPER_MAX_DRAFTS} drafts of versions, as many as a developer may "
                "have. Submit or discard one first."
            )
        newest = newest_version(bot)
        if newest and version.precedence <= newest.precedence:
            raise ValidationError(
                {"number": f"Expected a number above {newest.number}, the newest one so far."}
            )
        version.save()
    return version


@contextmanager
def open_draft(*, bot: Bot, number: str = "") -> Iterator[BotVersion]:
    """Lend the version `number`, begun as a draft when there is none, or for "" the newest draft.

    A draft that was begun is gone again when nothing was put into it because of an error. Raises
    ValidationError for a number that cannot be begun, and for "" when there is no draft.
    """
    with transaction.atomic():
        _hold(bot.developer)  # before the bot, as wherever both are held
        locked_bot(bot)  # so that two uploads may begin one version
        drafts = bot.versions.filter(state=BotVersion.State.DRAFT)
        asked = bot.versions.filter(number=number) if number else drafts
        found = asked.order_by("-created_at", "-pk").first()
        if found is None and not number:
            raise ValidationError(
                {"number": f"There is no draft. Say which version to begin, such as {next_numbers(bot)[0]}."}
            )
        version = found or start_version(bot=bot, number=number)
    try:
        yield version
    except BaseException:
        if found is None and not version.artifacts.exists():
            discard(version=version)
        raise


def _copy_files(source: BotVersion, draft: BotVersion) -> None:
    """Give the draft all files of `source` at once: it may be found, and even submitted, before that."""
    copies = storage.copies(source, draft)
    try:
        with transaction.atomic():
            if locked_draft(draft).artifacts.exists():
                raise PublishingError("The draft got files of its own meanwhile. Begin it again.")
            Artifact.objects.bulk_create(copies)
            check_has_room(draft.bot.developer)
    except BaseException:
        storage.delete((each.key, each.object_version) for each in copies)
        raise


def newest_version(bot: Bot) -> BotVersion | None:
    """Return the version with the highest number, in whatever state; None when there is none."""
    return max(bot.versions.all(), key=lambda each: each.precedence, default=None)


def next_numbers(bot: Bot) -> Sequence[str]:
    """Return what a next version may be called: for a correction, for something new, for a break."""
    newest = newest_version(bot)
    if newest is None:
        return ("v1.0.0", "v0.1.0")
    major, minor, patch = newest.precedence
    return (f"v{major}.{minor}.{patch + 1}", f"v{major}.{minor + 1}.0", f"v{major + 1}.0.0")


def write_notes(*, version: BotVersion, release_notes: str) -> BotVersion:
    """Change a draft's release notes.

    Raises ValidationError by field, MayNotPublish, and PublishingError once it is submitted.
    """
    check_may_publish(version.bot.developer)
    cleaned = _clean_notes(release_notes)
    with transaction.atomic():
        found = locked_draft(version)
        found.release_notes = cleaned
        found.save(update_fields=["release_notes"])
    return found


def discard(*, version: BotVersion) -> None:
    """Delete a draft with its files. Raises PublishingError when it has been submitted."""
    with transaction.atomic():
        locked_draft(version)
        objects = list(version.artifacts.values_list("key", "object_version"))
        BotVersion.objects.filter(pk=version.pk).delete()
        transaction.on_commit(lambda: storage.delete(objects))


def submit(*, version: BotVersion) -> BotVersion:
    """Hand a draft in: from now on it cannot change, and the gate checks it.

    Raises PublishingError when it is no draft any more, has no code, when the bot is not offered any more,
    when too many versions of the developer are being checked; MayNotPublish when they are staff or banned.
    """
    with transaction.atomic():
        developer = _hold(version.bot.developer)
        check_may_publish(developer)
        found = locked_draft(version)
        if not found.artifacts.filter(kind=Artifact.Kind.CODE).exists():
            raise PublishingError("This version has no code yet. Upload bot.py first.")
        if found.bot.state not in (Bot.State.DRAFT, Bot.State.LISTED):
            raise PublishingError(f"{found.bot.name} is {found.bot.get_state_display().lower()}.")
        checked = BotVersion.objects.by(developer).filter(state=BotVersion.State.CHECKING)
        if checked.count() >= MOST_UNFINISHED:
            raise PublishingError(
                f"{MOST_UNFINISHED} of your versions are being checked. Wait for one of them."
            )
        found.state = BotVersion.State.CHECKING
        found.submitted_at = timezone.now()
        found.save(update_fields=["state", "submitted_at"])
        gate = GateRun.objects.create(version=found)
        transaction.on_commit(lambda: packages.describe(found))
        transaction.on_commit(lambda: enqueue(gate))
    return found


def have_checked(*, version: BotVersion) -> GateRun:
    """Have the gate check a version that is offered already, as one that the operator has brought.

    What it finds is shown, and neither the version's state nor what it declares follows from it. One that the
    gate has, or had, is left as it is.
    """
    with transaction.atomic():
        gate, is_new = GateRun.objects.get_or_create(version=version)
        if is_new:
            transaction.on_commit(lambda: enqueue(gate))
    return gate


def enqueue(gate: GateRun) -> None:
    """Tell the workers of a gate that waits. Without a broker it is told again by the next sweep."""
    try:
        current_app.send_task(GATE_TASK, args=[gate.pk])
    except kombu.exceptions.OperationalError:
        logger.warning("The checks of %s wait until the broker is back", gate.version_id)


def check_may_publish(developer: User) -> None:
    """Raise MayNotPublish for staff, who judge bots, and for whom they have banned, with their reason."""
    if developer.is_staff:
        raise MayNotPublish("Staff judge bots and publish none. Use an account that is not staff's.")
    ban = DeveloperBan.objects.filter(developer=developer).first()
    if ban is not None:
        raise MayNotPublish(f"Staff let you publish nothing more. Their reason: {ban.reason}")


def check_has_room(developer: User) -> None:
    """Raise PublishingError when the developer's versions that were never offered have too large files.

    For who has just added some. Uploads at the same time do not see each other's.
    """
    unseen = BotVersion.objects.never_offered().filter(bot__developer=developer)
    size = Artifact.objects.filter(version__in=unseen).aggregate(total=Sum("size"))["total"] or 0
    if size > settings.DEVELOPER_MAX_UNPUBLISHED_MB << 20:
        raise PublishingError(
            f"Your versions that were never published may have {settings.DEVELOPER_MAX_UNPUBLISHED_MB} MB of "
            "files together, and would have more. Discard a draft, or delete a bot that was never published. "
            "What was withdrawn or failed its checks is removed by itself in time."
        )


def _hold(developer: User) -> User:
    """Return the developer, locked until the transaction ends: what they have is counted before it grows."""
    return User.objects.select_for_update().get(pk=developer.pk)


def _set(bot: Bot, facts: Mapping[str, Any]) -> None:
    unknown = sorted(set(facts) - set(EDITABLE))
    if unknown:
        raise TypeError(f"A bot's developer cannot set {', '.join(unknown)}.")
    problems: dict[str, list[str]] = {}
    for name, value in facts.items():
        try:
            setattr(bot, name, CLEANERS[name](value) if name in CLEANERS else value)
        except ValidationError as error:
            problems[name] = error.messages
    if problems:
        raise ValidationError(problems)


def _clean_notes(release_notes: str) -> str:
    try:
        return clean_markdown(release_notes)
    except ValidationError as error:
        raise ValidationError({"release_notes": error.messages}) from error


def locked_bot(bot: Bot) -> Bot:
    """Return the bot, locked until the transaction ends. Raises PublishingError when it is gone."""
    found = Bot.objects.exclude(state=Bot.State.DELETED).select_for_update().filter(pk=bot.pk).first()
    if found is None:
        raise PublishingError(f"{bot} was deleted meanwhile.")
    return found


def reread(version: BotVersion) -> BotVersion:
    """Return the version as it is by now. Raises PublishingError when it is gone."""
    found = BotVersion.objects.select_related("bot").filter(pk=version.pk).first()
    if found is None:
        raise PublishingError(f"{version} was deleted meanwhile.")
    return found


def locked_draft(version: BotVersion) -> BotVersion:
    """Return the version, locked until the transaction ends. Raises PublishingError when it is no draft."""
    locked = BotVersion.objects.select_for_update(of=["self"]).select_related("bot")
    found = locked.filter(pk=version.pk).first()
    if found is None:
        raise PublishingError(f"{version} was deleted meanwhile.")
    if found.state != BotVersion.State.DRAFT:
        raise PublishingError(f"{found} is {found.get_state_display().lower()}: its files cannot change.")
    return found


def withdraw(*, version: BotVersion) -> BotVersion:
    """Take back a version that is being checked or waits for review; it never runs.

    Raises PublishingError when it is in another state.
    """
    with transaction.atomic():
        mine = BotVersion.objects.filter(pk=version.pk, state__in=WITHDRAWABLE)
        if not mine.update(state=BotVersion.State.WITHDRAWN, stopped_at=timezone.now()):
            found = reread(version)
            raise PublishingError(f"{found} is {found.get_state_display().lower()}: it cannot be withdrawn.")
        gates = GateRun.objects.filter(version=version, finished_at=None)
        gates.update(state=GateRun.State.CANCELED, finished_at=timezone.now(), claim=None)
    version.refresh_from_db(fields=["state"])
    return version
