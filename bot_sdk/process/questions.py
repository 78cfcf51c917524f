"""What the process says, line by line, and what it is told: questions answered, counted and kept."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bot_sdk.bot import ACCOUNT_QUESTIONS
from bot_sdk.process.job import Asked, Job
from bot_sdk.process.reply import Answer, Question

MOST_QUESTIONS = 200


class AccountNeeded(Exception):
    """A run that several subscriptions share asked about the account: each needs its own."""


class Asks(Protocol):
    """A job that is asked as often as it has `answers`, each in a line."""

    @property
    def answers(self) -> int: ...

    def packed(self) -> bytes:
        """Return the file that the process begins with."""

    def read_line(self, line: bytes) -> Question | Answer:
        """Return what the process says. Never raises."""


class Dialog(Protocol):
    """One process's conversation with the worker.

    `answers` are what it came to so far, `asked` what it wanted to know on the way. `room` is how many bytes
    beyond one line may wait to be read, on either side.
    """

    room: int

    @property
    def answers(self) -> Sequence[Answer]: ...

    @property
    def asked(self) -> Sequence[Asked]: ...

    def packed(self) -> bytes:
        """Return the file that the process begins with."""

    def begin(self) -> bytes:
        """Return what to tell the process at first, b"" for nothing."""

    def wait(self) -> None:
        """Hear, some times a second, that the process is still at work; `is_complete` may come of it."""

    def hear(self, line: bytes) -> bytes:
        """Take in a line and return what to tell the process, b"" for nothing. Never raises for the line."""

    @property
    def is_complete(self) -> bool:
        """Whether it has said all that it was to say."""

    @property
    def is_over_asked(self) -> bool:
        """Whether the bot has asked more often than it may."""


class Interview:
    """The dialog of a run that is asked once, or once for each setting of a batch."""

    room = 0

    def __init__(self, job: Asks) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self._job = job

    def packed(self) -> bytes:
        """Return the file that the process begins with."""
        return self._job.packed()

    def begin(self) -> bytes:
        """Tell nothing: all is in the file."""
        return b""

    def wait(self) -> None:
        """Wait for as long as the limits let it work."""

    @property
    def is_complete(self) -> bool:
        """Whether all answers are there."""
        return len(self.answers) == self._job.answers

    @property
    def is_over_asked(self) -> bool:
        """Whether the bot has asked more often than it may."""
        return len(self.asked) > MOST_QUESTIONS

    def hear(self, line: bytes) -> bytes:
        """Keep an answer, or answer a question. Raises AccountNeeded, in a batch for any question."""
        said = self._job.read_line(line)
        if isinstance(said, Answer):
            self.answers.append(said)
            return b""
        if not isinstance(self._job, Job) or (self._job.is_shared and said.name in ACCOUNT_QUESTIONS):
            raise AccountNeeded(said.name)
        reply = answered(said, self._job.snapshot.answer)
        self.asked.append(Asked(said.name, said.arguments, _kept(said.name, reply)))
        return told(reply)


def answered(question: Question, answer: Callable[..., Any]) -> dict[str, Any]:
    """Return what `answer` says to the question, or why it says nothing."""
    try:
        return {"answer": answer(question.name, *question.arguments)}
    except ValueError as error:
        return {"error": str(error)}


def told(reply: dict[str, Any]) -> bytes:
    """Return a reply as the line that the process reads."""
    return json.dumps(reply).encode() + b"\n"


def _kept(name: str, reply: dict[str, Any]) -> Any:
    if name == "candles" and "answer" in reply:
        rows = reply["answer"]
        return {"rows": len(rows), "sha256": hashlib.sha256(json.dumps(rows).encode()).hexdigest()}
    return reply.get("answer", reply)
