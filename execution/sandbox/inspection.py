"""Check a bot's code against the static policy, in a confined process that does not run it."""

import json
from dataclasses import dataclass, fields
from typing import ClassVar

from bot_sdk.code_policy import Finding
from bot_sdk.text import printable
from execution.sandbox.inside.job_file import pack
from execution.sandbox.reply import Answer, load_object
from execution.sandbox.verdicts import Verdict

_FIELDS = tuple(field.name for field in fields(Finding))
_TYPES = (int, str, str, bool)  # of a finding's fields
_LONGEST_MESSAGE = 1000  # characters


@dataclass(frozen=True, slots=True)
class Inspection:
    """A job that asks for findings, and not for an action."""

    code: bytes
    answers: ClassVar[int] = 1

    def packed(self) -> bytes:
        """Return the job as the jail reads it."""
        return pack(json.dumps({"kind": "inspection"}).encode(), self.code)

    def read_line(self, line: bytes) -> "Answer":
        """Return what the process says; its findings are the answer's `found`."""
        try:
            found = [_finding(raw) for raw in load_object(line)["findings"]]
        except (KeyError, TypeError, ValueError) as error:
            return Answer(Verdict.BAD_REPLY, message=f"The findings cannot be read: {error}.")
        return Answer(Verdict.OK, found=tuple(found))


def _finding(raw: object) -> Finding:
    if not isinstance(raw, list) or tuple(map(type, raw)) != _TYPES:
        raise TypeError(f"expected the fields {', '.join(_FIELDS)}")
    line, rule, message, is_refusal = raw
    return Finding(line, printable(rule), printable(message)[:_LONGEST_MESSAGE], is_refusal)
