"""What the process does: read its job, ask the bot, and say each answer as a line that `reply.py` reads."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bot_sdk import code_shape
from bot_sdk.action import Action
from bot_sdk.bot import AccountView
from bot_sdk.bot_loop import BotLoop
from bot_sdk.model_files import ModelFile
from bot_sdk.process import bot_run, coaching
from bot_sdk.process.frame import decode_frame, newest_stamp
from bot_sdk.process.inspection import said_of
from bot_sdk.process.job_file import Order
from bot_sdk.process.rows import Row
from bot_sdk.window import GrowingWindow

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[bytes], None]


class Line(AccountView, Protocol):
    """The process's one line to who started it; it answers what a bot wants to know."""

    def rows(self, count: int, width: int) -> Iterator[Row]:
        """Yield so many rows of `width` numbers as they are released."""


def work(order: Order, line: Line, *, say: Say, say_soon: Say) -> None:
    """Say all that the order asks for; `say_soon` may wait for more to say."""
    head, encoded_frame, models, code = order
    if head["kind"] == "inspection":
        say(said_of(code))
        return
    if head["kind"] == "shape":
        say(_shape(code))
        return
    coaching.begin()
    if head["kind"] == "introduction":
        say(bot_run.introduced(code, models))
        return
    if head["kind"] == "rehearsal":
        _rehearse(line, head, models, code, say_soon)
        return
    frame = decode_frame(encoded_frame)
    for task in head["tasks"]:
        say(bot_run.said_by(_ask, line, task, models, code, frame))


def _shape(code: bytes) -> bytes:
    try:
        numbers = code_shape.shape_of(code.decode())
    except (MemoryError, RecursionError, SyntaxError, ValueError):
        numbers = []  # what is no Python is like nothing
    return json.dumps({"shape": base64.b64encode(code_shape.packed(numbers)).decode()}).encode() + b"\n"


def _ask(
    line: Line, task: dict[str, Any], models: Sequence[ModelFile], code: bytes, frame: "pd.DataFrame"
) -> Action:
    return bot_run.load(code, task, models, line).decide(frame, newest_stamp(frame))


def _rehearse(
    line: Line, head: Mapping[str, Any], models: Sequence[ModelFile], code: bytes, say: Say
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
            loop = bot_run.load(code, head["task"], models, line)
        return loop.decide(window.frame(), stamp)

    for stamp, is_silent, values in line.rows(head["candles"], len(columns)):
        window.append(stamp, values)
        if not is_silent:
            say(bot_run.said_by(ask, stamp))
