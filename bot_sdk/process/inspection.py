"""Check a bot's code against the static policy, in a process that does not run it."""

import json
from dataclasses import astuple, dataclass, fields
from typing import ClassVar

from bot_sdk import code_policy
from bot_sdk.code_policy import Finding
from bot_sdk.process.job import Limits
from bot_sdk.process.job_file import Order
from bot_sdk.process.reply import Answer, load_object
from bot_sdk.process.verdicts import Verdict
from bot_sdk.text import printable

_FIELDS = tuple(field.name for field in fields(Finding))
_TYPES = (int, str, str, bool)  # of a finding's fields
_LONGEST_MESSAGE = 1000  # characters
INSPECTION_LIMITS = Limits(seconds=10, memory_mb=256, cpu_percent=100)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A job that asks for findings, and not for an action."""

    code: bytes
    answers: ClassVar[int] = 1

    def packed(self) -> bytes:
        """Return the job as the process reads it."""
        return Order({"kind": "inspection"}, b"", (), self.code).packed()

    def read_line(self, line: bytes) -> Answer:
        """Return what the process says; its findings are the answer's `found`."""
        try:
            found = [_finding(raw) for raw in load_object(line)["findings"]]
        except (KeyError, TypeError, ValueError) as error:
            return Answer(Verdict.BAD_REPLY, message=f"The findings cannot be read: {error}.")
        return Answer(Verdict.OK, found=tuple(found))


def said_of(code: bytes) -> bytes:
    """Return what the process says of the code, as a line."""
    found = [astuple(finding) for finding in code_policy.check(code)]
    return json.dumps({"findings": found}).encode() + b"\n"


def findings_in(answer: Answer) -> list[Finding]:
    """Return what was found; that the code could not be checked is a finding too."""
    if answer.verdict == Verdict.OK:
        return list(answer.found)
    return [Finding(1, "size", f"The code cannot be checked: {answer.message} Make it smaller.", True)]


def _finding(raw: object) -> Finding:
    if not isinstance(raw, list) or tuple(map(type, raw)) != _TYPES:
        raise TypeError(f"expected the fields {', '.join(_FIELDS)}")
    line, rule, message, is_refusal = raw
    return Finding(line, printable(rule), printable(message)[:_LONGEST_MESSAGE], is_refusal)
