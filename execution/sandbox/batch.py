"""Several settings of one bot, answered in turn by one confined process.

Far cheaper than a process each, and weaker: what one run leaves in the bot's process, the next one finds. It
is for versions that keep nothing, where an operator has asked for it. Nothing of any account goes in, and a
process that asks anything is ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot_sdk.process.job import Job
from bot_sdk.process.reply import Answer, Question, parse_line


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that differ in their settings only."""

    jobs: Sequence[Job]

    @property
    def answers(self) -> int:
        return len(self.jobs)

    def packed(self) -> bytes:
        """Return the batch as the jail reads it."""
        return self.jobs[0].packed_with(self.jobs)

    def read_line(self, line: bytes) -> Question | Answer:
        """Return what the process says; one line per job."""
        return parse_line(line)
