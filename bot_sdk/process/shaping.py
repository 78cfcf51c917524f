"""Take the shape of a bot's code, in a process that does not run it."""

import base64
from dataclasses import dataclass
from typing import ClassVar

from bot_sdk.code_shape import MOST_NUMBERS, NUMBER_BYTES
from bot_sdk.process.job_file import Order, bytes_of
from bot_sdk.process.reply import Answer, load_object
from bot_sdk.process.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Shaping:
    """A job that asks for a shape, and not for an action."""

    code: str
    answers: ClassVar[int] = 1

    def packed(self) -> bytes:
        """Return the job as the process reads it."""
        return Order({"kind": "shape"}, b"", (), bytes_of(self.code)).packed()

    def read_line(self, line: bytes) -> Answer:
        """Return what the process says; the shape is the answer's `shape`."""
        try:
            shape = base64.b64decode(load_object(line)["shape"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            return Answer(Verdict.BAD_REPLY, message=f"The shape cannot be read: {error}.")
        if len(shape) % NUMBER_BYTES or len(shape) > MOST_NUMBERS * NUMBER_BYTES:
            return Answer(Verdict.BAD_REPLY, message="The shape is of no possible size.")
        return Answer(Verdict.OK, shape=shape)
