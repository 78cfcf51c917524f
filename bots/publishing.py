"""How a bot's version comes to be listed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from bot_sdk.configs import RiskConfig
from bot_sdk.parameters import ConfigError, Parameter
from bots import storage
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
    """Store `code` as version `number` (such as "v1.0.0") of the bot, and list the bot if it was a draft.

    `warm_up` counts the candles that the bot needs before its first decision. `risk_defaults` are the risk
    limits that the developer proposes, with the keys of `RiskConfig`: traders start from them, and what they
    leave out is off. None proposes nothing. Raises ValidationError when the number is malformed or taken, the
    code is not text in UTF-8, or a limit is none. When storage fails, nothing is left.
    """
    try:
        content = code.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("The code is not text in UTF-8.") from error
    try:
        proposed = RiskConfig.parse(risk_defaults or {})
    except ConfigError as error:
        problems = [f"{name}: {message}" for name, message in error.problems.items()]
        raise ValidationError({"risk_defaults": problems}) from error
    version = BotVersion(
        bot=bot,
        number=number,
        parameters=[parameter.to_dict() for parameter in parameters],
        warm_up=warm_up,
        risk_defaults=proposed.to_dict(),
        release_notes=release_notes,
        state=BotVersion.State.DRAFT,
    )
    version.full_clean()
    version.save()
    try:
        storage.save_code(version, content)
    except BaseException:
        version.delete()
        raise
    with transaction.atomic():
        version.state = BotVersion.State.PUBLISHED
        version.save(update_fields=["state"])
        Bot.objects.filter(pk=bot.pk, state=Bot.State.DRAFT).update(state=Bot.State.LISTED)
    bot.refresh_from_db(fields=["state"])
    return version


def quarantine(version: BotVersion, reason: str) -> bool:
    """Stop running a published version's code, for a reason that traders read; whether this call did it.

    Its subscriptions stay, and so do the stops of what they hold. Nobody can subscribe to it.
    """
    published = BotVersion.objects.published().filter(pk=version.pk)
    return published.update(state=BotVersion.State.QUARANTINED, state_reason=reason[:300]) == 1


def release(version: BotVersion) -> bool:
    """Let a version out of quarantine, with a clean record; whether it was in there."""
    quarantined = BotVersion.objects.quarantined().filter(pk=version.pk)
    return (
        quarantined.update(state=BotVersion.State.PUBLISHED, state_reason="", released_at=timezone.now()) == 1
    )
