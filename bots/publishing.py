"""How a bot's version comes to be listed."""

from collections.abc import Sequence

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
    """Store `code` as version `number` (such as "v1.0.0") of the bot and list it.

    `warm_up` counts the candles that the bot needs before its first decision. Raises ValidationError when
    the number is malformed or taken.
    """
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
    storage.save_code(version, code)
    with transaction.atomic():
        version.state = BotVersion.State.PUBLISHED
        version.save(update_fields=["state"])
        bot.state = Bot.State.LISTED
        bot.save(update_fields=["state"])
    return version
