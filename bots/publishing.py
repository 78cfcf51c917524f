"""How a bot's version comes to be listed."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from bot_sdk.parameters import Parameter
from bots import storage
from bots.models import Bot, BotVersion


def publish_version(
    *,
    bot: Bot,
    number: str,
    code: str,
    parameters: Sequence[Parameter] = (),
    warm_up: int = 50,
    release_notes: str = "",
) -> BotVersion:
    """Store `code` as version `number` (such as "v1.0.0") of the bot, and list the bot if it was a draft.

    `warm_up` counts the candles that the bot needs before its first decision. Raises ValidationError when
    the number is malformed or taken, or the code is not text in UTF-8. When storage fails, nothing is left.
    """
    try:
        content = code.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("The code is not text in UTF-8.") from error
    version = BotVersion(
        bot=bot,
        number=number,
        parameters=[parameter.to_dict() for parameter in parameters],
        warm_up=warm_up,
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
