"""Prove that bots are confined on this machine, by running one that tries to get out."""

import os
import tempfile
from contextlib import closing
from pathlib import Path

from bot_sdk.bot import Snapshot
from bot_sdk.process.frame import encode_frame
from bot_sdk.process.job import Job, Limits
from bot_sdk.process.questions import Interview
from bot_sdk.process.verdicts import Verdict
from execution.sandbox import runtime
from execution.sandbox.engine import Engine, Layers
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.inside.options import Layer
from execution.sandbox.judgement import judge
from execution.sandbox.nursery import Nursery
from execution.sandbox.process import WatchedProcess
from execution.sandbox.runner import run_in

_LIMITS = Limits(seconds=30, memory_mb=64, cpu_percent=100)
_SHORT_LIMITS = Limits(seconds=0.5, memory_mb=64, cpu_percent=100)
# Fields of /proc/PID/status once the process is locked down.
_NO_CAPABILITY = "0" * 16
_EXPECTED_STATUS = {
    **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), _NO_CAPABILITY),
    "NoNewPrivs": "1",
    "Seccomp": "2",
    "Threads": "1",  # another one would be without the filter
}
_ROOT = "0"
_BEFORE_FILES = (Layer.LANDLOCK, Layer.DOORMAN)
# Of the two walls before this machine's files each has to hold without the other. Without the doorman the
# run's filter lets nothing be opened, and Landlock would not be met.
_LEFT_OUT = ((Layer.LANDLOCK,), (Layer.DOORMAN, Layer.RUN_FILTER))
_CALLS = (  # of probe_bot.py
    "open a socket",
    "start a process",
    "start a program",
    "become root",
    "make a namespace",
    "trace a process",
    "signal a process",
)


def prove_engine(engine: Engine, layers: Layers) -> None:
    """Run the self-test on an engine with these walls; return only when it found nothing.

    Raises SandboxUnavailable, whose message says what got through.
    """
    if Layer.NAMESPACES not in layers:
        for left_out in _LEFT_OUT:
            with closing(Nursery(engine, tuple(each for each in layers if each not in left_out))) as nursery:
                _prove_walls(nursery)
    with closing(Nursery(engine, layers)) as nursery:
        _prove_walls(nursery)
        _prove_filter(nursery)
        _prove_time_limit(nursery)


def _prove_walls(nursery: Nursery) -> None:
    with (
        tempfile.NamedTemporaryFile() as canary,
        nursery.zygote(()) as zygote,
        zygote.run(Interview(_probe(file=canary.name, layers=nursery.layers)), _LIMITS) as confined,
    ):
        # Readable by all: only the walls are between the bot and the file.
        Path(canary.name).chmod(0o644)
        check_rights(confined.process, nursery.layers)
        answer = judge(confined.follow(), _LIMITS)
    if answer.action is None:
        raise SandboxUnavailable(f"the self-test's bot ended {answer.verdict}: {answer.message}")
    if answer.action.reason:
        raise SandboxUnavailable(f"the self-test's bot could {answer.action.reason}.")


def _prove_filter(nursery: Nursery) -> None:
    for call in _CALLS:
        verdict = run_in(nursery, _probe(call=call), _LIMITS).verdict
        if verdict != Verdict.FORBIDDEN:
            raise SandboxUnavailable(
                f"expected that a bot which tries to {call} is FORBIDDEN, but it ended {verdict}."
            )


def _prove_time_limit(nursery: Nursery) -> None:
    verdict = run_in(nursery, _probe(never_answers=True), _SHORT_LIMITS).verdict
    if verdict != Verdict.TIMED_OUT:
        raise SandboxUnavailable(f"expected that an endless bot is TIMED_OUT, but it ended {verdict}.")


def check_rights(process: WatchedProcess, layers: Layers) -> None:
    """Raise SandboxUnavailable unless the process has no capability, no way to gain one, and a filter."""
    status = process.status()
    expected = dict(_EXPECTED_STATUS)
    if Layer.NAMESPACES in layers:  # else the bounding set stays, which means nothing without new privileges
        expected["CapBnd"] = _NO_CAPABILITY
    if "Seccomp_filters" in status:  # since Linux 5.9
        has_second = Layer.NAMESPACES in layers or Layer.DOORMAN in layers  # against processes, or the door's
        expected["Seccomp_filters"] = str(1 + has_second + (Layer.RUN_FILTER in layers))
    found = {name: status.get(name, "missing") for name in expected}
    if found != expected or _ROOT in status["Uid"].split():
        raise SandboxUnavailable(
            f"the confined process has too many rights: expected {expected} and no root, "
            f"found {found} and the users {status['Uid']}."
        )


def _probe(*, file: str = "", call: str = "", layers: Layers = (), never_answers: bool = False) -> Job:
    import pandas as pd  # noqa: PLC0415  only workers prove anything

    frame = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2026-01-01"], tz="UTC", name="opened_at"))
    return Job(
        code=Path(__file__).with_name("probe_bot.py").read_text(),
        frame=encode_frame(frame),
        timeframe="1m",
        config={
            "file": file,
            "call": call,
            "can_list_nothing": any(wall in layers for wall in _BEFORE_FILES),
            "can_tell_nothing": Layer.RUN_FILTER in layers,
            "variables": sorted(os.environ.keys() - set(runtime.VARIABLES) - {"PWD"}),
            "never_answers": never_answers,
            "too_many_bytes": 2 * _LIMITS.memory_mb << 20,
        },
        subscription_config={},
        snapshot=Snapshot(current_price=1.0),
    )
