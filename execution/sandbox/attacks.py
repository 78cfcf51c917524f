"""Run attacks confined, and judge them by their verdict and by what they touched.

An attack is a bot in a file of its own. Its first line names the verdicts that it may end in, its second its
category and what else there is to know:

    # expect: FORBIDDEN|FAILED
    # category: files; harmless outside

"harmless outside" means that it may be run without confinement, where it then gets what it wants; "run twice"
that the second of two runs looks for what the first left behind. Its config has `canary_file`, the path of a
file with a secret, `canary_variable`, the variable that holds it too, and `port`, on which somebody listens.
An attack that gets something answers with a reason that begins with ESCAPED.
"""

import os
import re
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from bot_sdk.bot import Snapshot
from bot_sdk.process.frame import encode_frame
from bot_sdk.process.job import Job, Limits, Run
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import run_in

SECRET = "canary-5f1c"
VARIABLE = "MARKETPLACE_CANARY"
LIMITS = Limits(seconds=3, memory_mb=128, cpu_percent=100)
_GRACE_SECONDS = 2.0
_EXPECT, _CATEGORY = (
    re.compile("^# expect: (.+)$", re.MULTILINE),
    re.compile("^#.*category: (.+)$", re.MULTILINE),
)
_HEAD_LINES = 2


@dataclass(frozen=True, slots=True)
class Attack:
    """One file of attacks, read."""

    name: str
    code: str
    expected: frozenset[str]
    category: str
    runs: int
    is_harmless_outside: bool


@dataclass(frozen=True, slots=True)
class Canaries:
    """What an attack is after. `config` tells it where to look."""

    file: Path
    streams: socket.socket
    datagrams: socket.socket

    @property
    def config(self) -> dict[str, object]:
        port = self.streams.getsockname()[1]
        return {"canary_file": str(self.file), "canary_variable": VARIABLE, "port": port}

    def were_touched(self) -> bool:
        """Whether somebody connected to the port, or changed the file or the variable."""
        poll = select.poll()
        poll.register(self.streams, select.POLLIN)
        poll.register(self.datagrams, select.POLLIN)
        return bool(poll.poll(0)) or self.file.read_text() != SECRET or os.environ[VARIABLE] != SECRET


@contextmanager
def set_out() -> Iterator[Canaries]:
    """Set the canaries out, in this process's environment too."""
    with (
        NamedTemporaryFile("w") as file,
        socket.create_server(("127.0.0.1", 0)) as streams,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        file.write(SECRET)
        file.flush()
        Path(file.name).chmod(0o644)
        datagrams.bind(streams.getsockname())
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = SECRET
        try:
            yield Canaries(Path(file.name), streams, datagrams)
        finally:
            del os.environ[VARIABLE]
            os.environ.update({VARIABLE: before} if before else {})


def read_attack(path: Path) -> Attack:
    """Return the attack in a file. Raises ValueError when its first two lines do not say what it is."""
    code = path.read_bytes().decode(errors="surrogateescape")
    head = "\n".join(code.split("\n", _HEAD_LINES)[:_HEAD_LINES])
    expected, about = _EXPECT.search(head), _CATEGORY.search(head)
    if expected is None or about is None:
        raise ValueError(
            f"{path} is no attack: expected `# expect: VERDICT|VERDICT` and `# category: NAME` as its first "
            "lines."
        )
    category, *facts = (part.strip() for part in about[1].split(";"))
    return Attack(
        name=path.stem,
        code=code,
        expected=frozenset(expected[1].strip().split("|")),
        category=category,
        runs=2 if any(fact.startswith("run twice") for fact in facts) else 1,
        is_harmless_outside="harmless outside" in facts,
    )


def attempt(nursery: Nursery, attack: Attack, canaries: Canaries) -> list[Run]:
    """Run the attack confined, as often as it wants to, and return how each run ended."""
    job = _job(attack, canaries)
    return [run_in(nursery, job, LIMITS) for _ in range(attack.runs)]


def gain_of(runs: list[Run]) -> str:
    """Return what the attack got, in words; empty when it got nothing."""
    for run in runs:
        if run.action is not None and run.action.reason.startswith("ESCAPED"):
            return run.action.reason
        if SECRET in repr(run):
            return "it found the secret"
        if run.seconds > LIMITS.seconds + _GRACE_SECONDS:
            return f"it went on for {run.seconds:.1f} seconds"
    return ""


def _job(attack: Attack, canaries: Canaries) -> Job:
    import pandas as pd  # noqa: PLC0415  only who runs attacks needs it

    index = pd.date_range("2026-01-01", periods=3, freq="h", tz="UTC", name="opened_at")
    return Job(
        code=attack.code,
        frame=encode_frame(pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=index)),
        timeframe="1h",
        config=canaries.config,
        subscription_config={"trading_pair": "BTC/USDT"},
        snapshot=Snapshot(current_price=12.5, balances={"USDT": 900.0}, account_info={"equity": 1000.0}),
    )
