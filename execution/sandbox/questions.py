"""What a bot asks during its run, answered from the job's snapshot, counted and kept."""

import json
from typing import Any

from bot_sdk.bot import ACCOUNT_QUESTIONS
from execution.sandbox.batch import Batch
from execution.sandbox.errors import AccountNeeded
from execution.sandbox.inspection import Inspection
from execution.sandbox.job import Asked, Job
from execution.sandbox.receipt import sha256_of
from execution.sandbox.reply import Question

MOST_QUESTIONS = 200

Work = Job | Batch | Inspection  # what a confined process can be given


class Interview:
    """The questions of one run so far."""

    def __init__(self, job: Work) -> None:
        self.asked: list[Asked] = []
        self._job = job

    @property
    def is_over(self) -> bool:
        """Whether the bot has asked more often than it may."""
        return len(self.asked) > MOST_QUESTIONS

    def answer(self, question: Question) -> bytes:
        """Return the line that answers. Raises AccountNeeded in a shared run; in a batch for any question."""
        name, arguments = question.name, question.arguments
        if not isinstance(self._job, Job) or (self._job.is_shared and name in ACCOUNT_QUESTIONS):
            raise AccountNeeded(name)
        try:
            reply = {"answer": self._job.snapshot.answer(name, *arguments)}
        except ValueError as error:
            reply = {"error": str(error)}
        self.asked.append(Asked(name, arguments, _kept(name, reply)))
        return json.dumps(reply).encode() + b"\n"


def _kept(name: str, reply: dict[str, Any]) -> Any:
    if name == "candles" and "answer" in reply:
        rows = reply["answer"]
        return {"rows": len(rows), "sha256": sha256_of(json.dumps(rows).encode())}
    return reply.get("answer", reply)
