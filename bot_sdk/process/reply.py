"""Read what a bot's process wrote. It may have written anything: these bytes are hostile until read here.

A line is one JSON object, at most 64 KB with its newline, of one of three shapes. The first is a question and
may come many times; the others are the answer and end the run:

    {"ask": "balance", "with": ["USDT"]}
    {"action": "BUY", "value": 101.5, "reason": "text"}
    {"verdict": "FAILED", "message": "text"}
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never

from bot_sdk.action import Action
from bot_sdk.code_policy import Finding
from bot_sdk.parameters import Parameter
from bot_sdk.process.verdicts import Verdict
from bot_sdk.text import printable

LONGEST_REPLY = 64 * 1024  # bytes
LONGEST_TEXT = 500  # characters
MOST_ARGUMENTS = 4
LONGEST_ARGUMENT = 100  # characters

# What a process may say of itself. It can lie only to its own disadvantage.
_OWN_VERDICTS = (Verdict.FAILED, Verdict.OUT_OF_MEMORY, Verdict.FORBIDDEN, Verdict.BAD_REPLY)


@dataclass(frozen=True, slots=True)
class Introduced:
    """A bot as its file presents it.

    `name` is that of its class; `models` are the names under which it finds its models. `warm_up` counts
    candles, and `risk_defaults` is as in `RiskConfig`.
    """

    name: str
    parameters: tuple[Parameter, ...]
    warm_up: int
    risk_defaults: Mapping[str, Any]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run came to. `action` is there for the verdict OK only, `message` for all others.

    An inspection has findings, `found`, in place of an action, an introduction has `introduced`, and where
    the code's shape was asked for it is `shape`.
    """

    verdict: Verdict
    action: Action | None = None
    message: str = ""
    found: tuple[Finding, ...] = ()
    introduced: Introduced | None = None
    shape: bytes = b""


def load_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object in `line`. Raises ValueError for all else, NaN and doubled keys included."""
    try:
        # ValueError: no JSON, no UTF-8, a number of thousands of digits
        found = json.loads(line.decode(), parse_constant=_refuse_constant, object_pairs_hook=_once_each)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, got {type(found).__name__}")
    return found


@dataclass(frozen=True, slots=True)
class Question:
    """What the bot wants to know; neither the name nor the arguments need make sense."""

    name: str
    arguments: tuple[str | int | float | bool | None, ...]


def parse_line(line: bytes) -> Question | Answer:
    """Return what `line` says. Never raises: whatever is neither question nor answer is a BAD_REPLY."""
    if len(line) > LONGEST_REPLY:
        return _bad(f"it is longer than {LONGEST_REPLY // 1024} KB")
    try:
        reply = load_object(line)
    except ValueError as error:
        return _bad(str(error))
    if reply.keys() == {"ask", "with"}:
        return _question(reply["ask"], reply["with"])
    if reply.keys() == {"action", "value", "reason"}:
        return _action(**reply)
    if reply.keys() == {"verdict", "message"}:
        return _own_verdict(**reply)
    return _bad(f"unexpected keys {', '.join(map(repr, reply))}")


def _action(action: object, value: object, reason: object) -> Answer:
    if isinstance(reason, str) and len(reason) > LONGEST_TEXT:
        return _bad(f"the reason is longer than {LONGEST_TEXT} characters")
    try:
        # The constructor checks the types: that is its contract.
        parsed = Action(action, value, reason)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        return _bad(str(error))
    return Answer(Verdict.OK, Action(parsed.action, parsed.value, printable(parsed.reason)))


def _question(name: object, arguments: object) -> Question | Answer:
    if not isinstance(name, str) or not _is_plain(name):
        return _bad("it asks with a name that is no text")
    if not isinstance(arguments, list) or len(arguments) > MOST_ARGUMENTS:
        return _bad(f"it asks with more than a list of {MOST_ARGUMENTS} arguments")
    if not all(map(_is_plain, arguments)):
        return _bad("it asks with an argument that is neither a number nor a short text")
    return Question(name, tuple(arguments))


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_ARGUMENT and value.isprintable()
    if isinstance(value, int):
        return abs(value) < 2**53
    return value is None or (isinstance(value, float) and math.isfinite(value))


def _own_verdict(verdict: object, message: object) -> Answer:
    if not isinstance(verdict, str) or verdict not in _OWN_VERDICTS:
        return _bad("it names no verdict that a bot can have")
    if not isinstance(message, str) or len(message) > LONGEST_TEXT:
        return _bad(f"the message is not text of at most {LONGEST_TEXT} characters")
    return Answer(Verdict(verdict), message=printable(message))


def _bad(problem: str) -> Answer:
    return Answer(
        Verdict.BAD_REPLY,
        message=f"The bot's answer is not valid: {printable(problem)[:LONGEST_TEXT].rstrip('.')}.",
    )


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a number")


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found
