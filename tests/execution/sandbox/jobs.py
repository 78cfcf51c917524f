"""Jobs for the sandbox's tests, each valid as it stands; keyword arguments override."""

import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk.bot import Snapshot
from execution.sandbox import Job, Limits, encode_frame
from execution.sandbox.inside.options import Layer
from execution.sandbox.nursery import Nursery
from execution.sandbox.zygote import Zygote

ROOMY = Limits(seconds=60, memory_mb=256, cpu_percent=100)


def make_limits(**overrides: Any) -> Limits:
    values = {"seconds": ROOMY.seconds, "memory_mb": ROOMY.memory_mb, "cpu_percent": ROOMY.cpu_percent}
    return Limits(**(values | overrides))


def make_frame(closes: Sequence[float] = (10.0, 11.0, 12.0), **columns: Sequence[float]) -> pd.DataFrame:
    opened_at = pd.date_range("2026-01-01", periods=len(closes), freq="1h", tz="UTC", name="opened_at")
    return pd.DataFrame({"close": closes, **columns}, index=opened_at, dtype="float64")


def make_job(code: str, *, frame: pd.DataFrame | None = None, **overrides: Any) -> Job:
    values: dict[str, Any] = {
        "frame": encode_frame(make_frame() if frame is None else frame),
        "timeframe": "1h",
        "config": {},
        "subscription_config": {"trading_pair": "BTC/USDT"},
        "snapshot": Snapshot(current_price=12.5, balances={"USDT": 900.0}, account_info={"equity": 1000.0}),
    }
    return Job(code=textwrap.dedent(code), **(values | overrides))


def make_bot(algorithm: str) -> str:
    """Return the code of a bot with these lines as its algorithm; it holds when they do not return."""
    body = textwrap.indent(textwrap.dedent(algorithm).strip(), " " * 8)
    return (
        "from bot_sdk import Action, CustomBot\n\n"
        "class OneBot(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config):\n"
        f"{body}\n"
        '        return Action("HOLD", data["close"].iloc[-1], "held")\n'
    )


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until the condition holds, and tell whether it came to that."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds


def children_in(nursery: Nursery, zygote: Zygote) -> set[int]:
    """Return the zygote's processes as soon as one of them waits for an order."""
    idle = 2 if Layer.DOORMAN in nursery.layers else 1
    assert soon(lambda: len(children_of(zygote.pid)) == idle)
    return set(children_of(zygote.pid))


def children_of(pid: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "status").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if b"\nPPid:\t%d\n" % pid in status:
            found.append(int(process.name))
    return found
