"""What staff decide about versions, bots and developers.

Each decision is in the audit log. Whoever has a say in a bot of their own has none here.
"""

from collections.abc import Sequence

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import Event, User
from accounts.notifying import notify
from bots import drafting, publishing
from bots.errors import PublishingError
from bots.models import Bot, BotVersion, DeveloperBan, Review

TELL_TASK = "subscriptions.tasks.tell_of_stopped_bot"
TELL_OF_VERSION_TASK = "subscriptions.tasks.tell_of_new_version"
STOPPABLE = (*BotVersion.RUNNING, BotVersion.State.QUARANTINED)
_Decision = Review.Decision


def approve(*, version: BotVersion, reviewer: User, note: str = "") -> Review:
    """Publish a version that waits for review.

    Raises PublishingError when it does not wait any more, or when it is the reviewer's own.
    """
    with transaction.atomic():
        _check_reviewer(version.bot, reviewer)
        publishing.publish(version=version)
        transaction.on_commit(lambda: current_app.send_task(TELL_OF_VERSION_TASK, args=[version.pk]))
        return _note(version, reviewer, _Decision.APPROVED, [], note)


def reject(*, version: BotVersion, reviewer: User, reasons: Sequence[str], note: str = "") -> Review:
    """Turn a version down for good. Raises as `approve`, and ValidationError when no reason is given."""
    return _turn_down(
        version, reviewer, BotVersion.State.REJECTED, _Decision.REJECTED, reasons=reasons, note=note
    )


def request_changes(*, version: BotVersion, reviewer: User, reasons: Sequence[str], note: str = "") -> Review:
    """Ask for a next version that mends what is named. Raises as `reject`."""
    return _turn_down(
        version,
        reviewer,
        BotVersion.State.CHANGES_REQUESTED,
        _Decision.CHANGES_REQUESTED,
        reasons=reasons,
        note=note,
    )


def pull(*, version: BotVersion, reviewer: User, reasons: Sequence[str], note: str = "") -> Review:
    """Stop a version at once, for all who have it: their stops still act, and they are told.

    Raises as `reject`, when it does not run.
    """
    _check_reasons(reasons, note)
    with transaction.atomic():
        _check_reviewer(version.bot, reviewer)
        reason = (note or ", ".join(Review.Reason(each).label for each in reasons))[:300]
        publishing.pull(version=version, reason=reason)
        review = _note(version, reviewer, _Decision.PULLED, reasons, note)
        transaction.on_commit(lambda: _tell(version.bot))
    return review


def release(*, version: BotVersion, reviewer: User) -> BotVersion:
    """Let a version out of quarantine. Raises PublishingError when it is not in there, or is one's own."""
    with transaction.atomic():
        _check_reviewer(version.bot, reviewer)
        if not publishing.release(version):
            raise PublishingError(f"{version} is not in quarantine.")
        audit.record(actor=reviewer, action="version.release", target=version)
    version.refresh_from_db()
    return version


def suspend(*, bot: Bot, by: User, reason: str) -> Bot:
    """Stop all versions of a bot and take it off the catalogue until `lift_suspension`; traders are told.

    Raises PublishingError when it is neither listed nor retired, or is one's own.
    """
    _check_reason(reason)
    with transaction.atomic():
        _check_reviewer(bot, by)
        _suspend(bot, by, reason)
    return bot


def lift_suspension(*, bot: Bot, by: User) -> Bot:
    """List a suspended bot again. Raises PublishingError when it is not suspended, or is one's own."""
    with transaction.atomic():
        _check_reviewer(bot, by)
        suspended = Bot.objects.filter(pk=bot.pk, state=Bot.State.SUSPENDED)
        if DeveloperBan.objects.filter(developer=bot.developer_id).exists():
            raise PublishingError("Its developer is banned. Lift the ban first.")
        if not suspended.update(state=Bot.State.LISTED, state_reason=""):
            raise PublishingError(f"{bot.name} is not suspended.")
        audit.record(actor=by, action="bot.lift_suspension", target=bot)
    bot.refresh_from_db()
    return bot


def ban(*, developer: User, by: User, reason: str) -> DeveloperBan:
    """Suspend all that a developer publishes, and let them publish nothing more.

    Raises PublishingError when they are banned already, or for oneself.
    """
    _check_reason(reason)
    if developer == by:
        raise PublishingError("Nobody decides about themselves.")
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=developer.pk)
        found, is_new = DeveloperBan.objects.get_or_create(
            developer=locked, defaults={"reason": reason, "banned_by": by}
        )
        if not is_new:
            raise PublishingError(f"{developer} is banned already.")
        for version in BotVersion.objects.by(developer).filter(state__in=drafting.WITHDRAWABLE):
            drafting.withdraw(version=version)
        for bot in Bot.objects.by(developer).filter(state__in=Bot.RUNNING):
            _suspend(bot, by, reason)
        audit.record(actor=by, action="developer.ban", target=developer, reason=reason)
    return found


def lift_ban(*, developer: User, by: User) -> None:
    """Let a developer publish again; what was suspended stays so. Raises PublishingError for no ban."""
    with transaction.atomic():
        deleted, _ = DeveloperBan.objects.filter(developer=developer).delete()
        if not deleted:
            raise PublishingError(f"{developer} is not banned.")
        audit.record(actor=by, action="developer.lift_ban", target=developer)


def _turn_down(
    version: BotVersion,
    reviewer: User,
    to: BotVersion.State,
    decision: _Decision,
    *,
    reasons: Sequence[str],
    note: str,
) -> Review:
    _check_reasons(reasons, note)
    with transaction.atomic():
        _check_reviewer(version.bot, reviewer)
        publishing.turn_down(version=version, to=to)
        return _note(version, reviewer, decision, reasons, note)


def _suspend(bot: Bot, by: User, reason: str) -> None:
    running = Bot.objects.filter(pk=bot.pk, state__in=Bot.RUNNING)
    if not running.update(state=Bot.State.SUSPENDED, state_reason=reason[:300]):
        bot.refresh_from_db()
        raise PublishingError(f"{bot.name} is {bot.get_state_display().lower()}: it cannot be suspended.")
    bot.refresh_from_db()
    notify(
        people=[bot.developer_id],
        event=Event.REVIEW,
        subject=f"{bot.name} is suspended",
        text=reason,
        link=reverse("bots:own_bot", args=[bot.slug]),
        key=f"suspended:{bot.pk}:{timezone.now().isoformat()}",
    )
    audit.record(actor=by, action="bot.suspend", target=bot, reason=reason)
    transaction.on_commit(lambda: _tell(bot))


def _note(
    version: BotVersion, reviewer: User, decision: _Decision, reasons: Sequence[str], note: str
) -> Review:
    review = Review.objects.create(
        version=version, reviewer=reviewer, decision=decision, reasons=list(reasons), note=note
    )
    named = ", ".join(Review.Reason(each).label for each in reasons)
    notify(
        people=[version.bot.developer_id],
        event=Event.REVIEW,
        subject=f"{version}: {review.get_decision_display().lower()}",
        text="\n".join(filter(None, [named, note])) or "It is offered to traders now.",
        link=reverse("bots:own_bot", args=[version.bot.slug]),
        key=f"review:{review.pk}",
    )
    action = f"version.{decision.lower()}"
    audit.record(actor=reviewer, action=action, target=version, reasons=list(reasons), note=note)
    return review


def _tell(bot: Bot) -> None:
    current_app.send_task(TELL_TASK, args=[bot.pk])


def _check_reviewer(bot: Bot, reviewer: User) -> None:
    if bot.developer_id == reviewer.pk:
        raise PublishingError("Nobody reviews their own bot. Ask another moderator.")


def _check_reasons(reasons: Sequence[str], note: str) -> None:
    if not reasons:
        raise ValidationError({"reasons": "Choose at least one reason."})
    unknown = sorted(set(reasons) - set(Review.Reason.values))
    if unknown:
        raise ValidationError({"reasons": f"{', '.join(unknown)} is no reason."})
    if Review.Reason.OTHER in reasons and not note.strip():
        raise ValidationError({"note": "Write the other reason here."})


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": "Write a reason: the developer and the traders read it."})
