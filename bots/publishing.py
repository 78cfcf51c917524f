"""How a version comes to be listed, and how it stops being offered or run."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from bot_sdk.configs import RiskConfig
from bot_sdk.parameters import ConfigError, Parameter
from bots import drafting, packages, storage
from bots.errors import PublishingError
from bots.models import Bot, BotVersion


def publish_version(
    *,
    bot: Bot,
    number: str,
    code: str,
    parameters: Sequence[Parameter] = (),
    warm_up: int = 50,
    risk_defaults: Mapping[str, Any] | None = None,
    release_notes: str = "",
) -> BotVersion:
    """Publish `code` as version `number` of the bot without checks or review, for what the operator brings.

    The declaration is taken from the arguments as `declare` has it. Raises ValidationError when the number
    is malformed or taken, the code is not text in UTF-8, or a limit is none. When storage fails, nothing is
    left.
    """
    try:
        content = code.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("The code is not text in UTF-8.") from error
    version = drafting.add_draft(bot=bot, number=number, release_notes=release_notes)
    try:
        storage.save_code(version, content)
        declare(version=version, parameters=parameters, warm_up=warm_up, risk_defaults=risk_defaults or {})
    except BaseException:
        drafting.discard(version=version)
        raise
    publish(version=version, was=BotVersion.State.DRAFT)
    bot.refresh_from_db(fields=["state"])
    return version


def declare(
    *, version: BotVersion, parameters: Sequence[Parameter], warm_up: int, risk_defaults: Mapping[str, Any]
) -> None:
    """Note what the version's code declares.

    `warm_up` counts the candles that the bot needs before its first decision. `risk_defaults` are the risk
    limits that the developer proposes, with the keys of `RiskConfig`: traders start from them, and what they
    leave out is off. Raises ValidationError for a limit that is none.
    """
    try:
        proposed = RiskConfig.parse(risk_defaults)
    except ConfigError as error:
        problems = [f"{name}: {message}" for name, message in error.problems.items()]
        raise ValidationError({"risk_defaults": problems}) from error
    version.parameters = [parameter.to_dict() for parameter in parameters]
    version.warm_up = warm_up
    version.risk_defaults = proposed.to_dict()
    version.save(update_fields=["parameters", "warm_up", "risk_defaults"])


def publish(*, version: BotVersion, was: BotVersion.State = BotVersion.State.IN_REVIEW) -> BotVersion:
    """Offer the version to new subscribers, and list its bot if that was a draft.

    Raises PublishingError when it is not in the state that it `was` in any more.
    """
    with transaction.atomic():
        _move(version, was, BotVersion.State.PUBLISHED, published_at=timezone.now())
        Bot.objects.filter(pk=version.bot_id, state=Bot.State.DRAFT).update(state=Bot.State.LISTED)
        transaction.on_commit(lambda: packages.describe(version))
    return version


def turn_down(*, version: BotVersion, to: BotVersion.State) -> BotVersion:
    """End a version that waits for review in the state `to`.

    Raises PublishingError when it does not wait any more.
    """
    return _move(version, BotVersion.State.IN_REVIEW, to)


def pull(*, version: BotVersion, reason: str) -> BotVersion:
    """Run a version no more, for nobody, for a reason that traders read; their stops still act.

    Raises PublishingError when it does not run anyway.
    """
    for was in (*BotVersion.RUNNING, BotVersion.State.QUARANTINED):
        if version.state == was:
            return _move(version, was, BotVersion.State.PULLED, state_reason=reason)
    raise PublishingError(f"{version} is {version.get_state_display().lower()}: it does not run.")


def retire(*, version: BotVersion) -> BotVersion:
    """Stop offering a published version. Its subscribers keep it.

    Raises PublishingError when it is not published.
    """
    return _move(version, BotVersion.State.PUBLISHED, BotVersion.State.RETIRED, stopped_at=timezone.now())


def offer_again(*, version: BotVersion) -> BotVersion:
    """Offer a retired version again. Raises MayNotPublish, and PublishingError when it is not retired."""
    drafting.check_may_publish(version.bot.developer)
    return _move(version, BotVersion.State.RETIRED, BotVersion.State.PUBLISHED)


def roll_back(*, version: BotVersion) -> BotVersion:
    """Have new subscribers get this version, by retiring all published ones above it.

    Raises MayNotPublish, and PublishingError when it is neither published nor retired.
    """
    drafting.check_may_publish(version.bot.developer)
    with transaction.atomic():
        drafting.locked_bot(version.bot)
        if version.state == BotVersion.State.RETIRED:
            offer_again(version=version)
        for other in version.bot.versions.published():
            if other.precedence > version.precedence:
                retire(version=other)
        found = drafting.reread(version)
        if found.state != BotVersion.State.PUBLISHED:
            raise PublishingError(f"{found} is {found.get_state_display().lower()}: it cannot be offered.")
    return found


def retire_bot(*, bot: Bot) -> Bot:
    """Take a listed bot off the catalogue for good. Its subscribers keep what they have.

    Raises PublishingError when it is not listed.
    """
    with transaction.atomic():
        found = drafting.locked_bot(bot)
        if found.state != Bot.State.LISTED:
            raise PublishingError(
                f"{found} is {found.get_state_display().lower()}: only a listed bot can be retired."
            )
        found.state = Bot.State.RETIRED
        found.save(update_fields=["state"])
    bot.refresh_from_db(fields=["state"])
    return bot


def quarantine(version: BotVersion, reason: str) -> bool:
    """Stop running a version's code, offered or not, for a reason that traders read; whether this did it.

    Its subscriptions stay, and so do the stops of what they hold. Nobody can subscribe to it.
    """
    return _change(
        version,
        was=BotVersion.RUNNING,
        state_before=F("state"),
        state=BotVersion.State.QUARANTINED,
        stopped_at=timezone.now(),
        state_reason=reason[:300],
    )


def release(version: BotVersion) -> bool:
    """Let a version out of quarantine as it was before, with a clean record; whether it was in there."""
    return _change(
        version,
        was=[BotVersion.State.QUARANTINED],
        state=F("state_before"),
        state_reason="",
        released_at=timezone.now(),
    )


def _move(version: BotVersion, was: str, to: BotVersion.State, **facts: object) -> BotVersion:
    if not _change(version, was=[was], state=to, **facts):
        found = drafting.reread(version)
        raise PublishingError(f"{found} is {found.get_state_display().lower()} by now. Look at it again.")
    version.refresh_from_db()
    return version


def _change(version: BotVersion, *, was: Collection[str], **facts: object) -> bool:
    """Change a version that is in one of these states; whether it was.

    Its bot is locked before it, as by all who need both: with the version changes what the bot offers.
    """
    with transaction.atomic():
        list(Bot.objects.select_for_update(no_key=True).filter(pk=version.bot_id).only("pk"))
        return BotVersion.objects.filter(pk=version.pk, state__in=was).update(**facts) == 1
