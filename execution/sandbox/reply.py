"""Read what a bot's process answered. It may have written anything: these bytes are hostile until read here.

An answer is one JSON object, at most 64 KB with its newline, of one of two shapes:

    {"action": "BUY", "value": 101.5, "reason": "text"}
    {"verdict": "FAILED", "message": "text"}
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Never

from bot_sdk.action import Action
from bot_sdk.text import printable
from execution.sandbox.verdicts import Verdict

LONGEST_REPLY = 64 * 1024  # bytes
LONGEST_TEXT = 500  # characters

# What a process may say of itself. It can lie only to its own disadvantage.
_OWN_VERDICTS = (Verdict.FAILED, Verdict.OUT_OF_MEMORY, Verdict.FORBIDDEN, Verdict.BAD_REPLY)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run came to. `action` is there for the verdict OK only, `message` for all others."""

    verdict: Verdict
    action: Action | None = None
    message: str = ""


def parse_reply(line: bytes) -> Answer:
    """Return the answer in `line`. Never raises: whatever is not exactly an answer is a BAD_REPLY."""
    if len(line) > LONGEST_REPLY:
        return _bad(f"it is longer than {LONGEST_REPLY // 1024} KB")
    try:
        reply = json.loads(line.decode(), parse_constant=_refuse_constant, object_pairs_hook=_once_each)
    except RecursionError:
        return _bad("it is nested too deeply")
    except ValueError as error:  # no JSON, no UTF-8, a number of thousands of digits
        return _bad(str(error))
    if not isinstance(reply, dict):
        return _bad(f"expected an object, got {type(reply).__name__}")
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
