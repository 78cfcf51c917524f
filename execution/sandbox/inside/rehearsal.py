"""A bot asked at one candle after another in one process, to which the worker releases the candles."""

from collections.abc import Callable, Sequence
from typing import Any

from bot_sdk.action import Action
from bot_sdk.bot_loop import BotLoop
from bot_sdk.model_files import ModelFile
from bot_sdk.window import GrowingWindow

from . import bot_run
from .channel import Channel


def rehearse(
    channel: Channel,
    head: dict[str, Any],
    models: Sequence[ModelFile],
    code: bytes,
    say: Callable[[bytes], None],
) -> None:
    """Say a line for each candle at which the bot is asked; one that cannot be loaded fails at each.

    `head` has the `task`, the names of the `columns`, how many `candles` come and how many a bot sees.
    """
    columns = head["columns"]
    window = GrowingWindow(columns, length=head["window"])
    loop: BotLoop | None = None

    def ask(stamp: int) -> Action:
        nonlocal loop
        if loop is None:
            loop = bot_run.load(code, head["task"], models, channel)
        return loop.decide(window.frame(), stamp)

    for stamp, is_silent, values in channel.rows(head["candles"], len(columns)):
        window.append(stamp, values)
        if not is_silent:
            say(bot_run.said_by(ask, stamp))
