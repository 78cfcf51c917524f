"""What goes into a run, and what comes out of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from bot_sdk.action import Action
from bot_sdk.bot import AccountView
from bot_sdk.model_files import ModelFile
from bot_sdk.process.job_file import Order, bytes_of
from bot_sdk.process.reply import Answer, Question, parse_line
from bot_sdk.process.verdicts import Verdict

MOST_THREADS = 32


@dataclass(frozen=True)
class Job:
    """One question to a bot.

    `code` is the text of its bot.py; `frame` comes from `encode_frame`; `config` holds the trader's values
    for the bot's parameters. Both mappings hold only what JSON can. `models` are opened inside. `snapshot`
    stays here and answers what the bot asks; a run that `is_shared` may ask about the market only. These are
    all that the bot can learn: no credential belongs into them.
    """

    code: str
    frame: bytes
    timeframe: str
    config: Mapping[str, Any]
    subscription_config: Mapping[str, Any]
    snapshot: AccountView
    models: tuple[ModelFile, ...] = ()
    is_shared: bool = False

    def packed(self) -> bytes:
        """Return the job as the process reads it."""
        return self.packed_with([self])

    def packed_with(self, jobs: Sequence["Job"]) -> bytes:
        """Return jobs that differ from this one in their settings only, as one that answers them in turn."""
        head = {"kind": "job", "tasks": [job.task for job in jobs]}
        return Order(head, self.frame, self.models, bytes_of(self.code)).packed()

    answers: ClassVar[int] = 1

    def read_line(self, line: bytes) -> Question | Answer:
        """Return what the process says."""
        return parse_line(line)

    @property
    def task(self) -> dict[str, Any]:
        """What the bot is given beside the candles."""
        return {
            "timeframe": self.timeframe,
            "config": dict(self.config),
            "subscription_config": dict(self.subscription_config),
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use, from the moment when the bot's code is handed over.

    `memory_mb` is what the bot may allocate beside the interpreter and its preloaded libraries.
    `cpu_percent` of `seconds` is the CPU time it may burn, with one second as the least. A suspect yields to
    nearly everyone from the moment when its process is there.
    """

    seconds: float
    memory_mb: int
    cpu_percent: int
    is_suspect: bool = False

    @property
    def cpu_seconds(self) -> int:
        return max(1, math.ceil(self.seconds * self.cpu_percent / 100))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a bot asked, and the answer. Candles are kept as their number and hash."""

    question: str
    arguments: tuple[Any, ...]
    answer: Any


@dataclass(frozen=True, slots=True)
class Run:
    """How one run ended.

    `action` is there for the verdict OK only. `message` says in one line what went wrong, for the trader.
    `log` is what the bot printed, cut at 64 KB; `asked` what it wanted to know. `seconds` count from the
    hand-over of the code; `cpu_seconds` and `peak_memory_mb` (resident, interpreter included) are the
    kernel's, the former from the hand-over too.
    """

    verdict: Verdict
    action: Action | None = None
    message: str = ""
    log: str = ""
    asked: tuple[Asked, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON can carry it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Run":
        """Return what `to_dict` was made of."""
        action = raw["action"] and Action(**raw["action"])
        asked = tuple(
            Asked(each["question"], tuple(each["arguments"]), each["answer"]) for each in raw["asked"]
        )
        return cls(**dict(raw) | {"verdict": Verdict(raw["verdict"]), "action": action, "asked": asked})
