"""What goes into a confined run, and what comes out of it."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot_sdk.action import Action
from bot_sdk.bot import Snapshot
from execution.sandbox.inside.job_file import pack
from execution.sandbox.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Job:
    """One question to a bot.

    `code` is the text of its bot.py; `frame` comes from `encode_frame`; `config` holds the trader's values
    for the bot's parameters; `snapshot` answers what the bot asks about price and account. The mappings and
    the snapshot hold only what JSON can. They are all that the bot learns: no credential belongs into them.
    """

    code: str
    frame: bytes
    timeframe: str
    config: Mapping[str, Any]
    subscription_config: Mapping[str, Any]
    snapshot: Snapshot

    def packed(self) -> bytes:
        """Return the job as the jail reads it. The code comes last, so that it is read last."""
        task = {
            "timeframe": self.timeframe,
            "config": dict(self.config),
            "subscription_config": dict(self.subscription_config),
            "snapshot": asdict(self.snapshot),
        }
        # A lone surrogate is no UTF-8: the jail refuses it as it refuses any code that is not text.
        return pack(json.dumps(task).encode(), self.frame, self.code.encode(errors="surrogatepass"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use, from the moment when the bot's code is handed over.

    `memory_mb` is what the bot may allocate beside the interpreter and its preloaded libraries.
    `cpu_percent` of `seconds` is the CPU time it may burn, with one second as the least.
    """

    seconds: float
    memory_mb: int
    cpu_percent: int

    @property
    def cpu_seconds(self) -> int:
        return max(1, math.ceil(self.seconds * self.cpu_percent / 100))


@dataclass(frozen=True, slots=True)
class Run:
    """How one run ended.

    `action` is there for the verdict OK only. `message` says in one line what went wrong, for the trader.
    `log` is what the bot printed, cut at 64 KB. `seconds` and `cpu_seconds` count from the hand-over of the
    code; `peak_memory_mb` is the process's resident peak, interpreter included. The three are sampled from
    outside: a process that dies by itself is measured up to its last sample, some 50 ms before.
    """

    verdict: Verdict
    action: Action | None = None
    message: str = ""
    log: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
