"""Jobs for the sandbox's tests, each valid as it stands; keyword arguments override."""

import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk.bot import CandleRow, Snapshot
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


def make_sleeper(at_work: Callable[[], None]) -> Job:
    """Return a job whose bot sleeps for good, with `at_work` called here once its code has begun."""

    def candles(count: int) -> list[CandleRow]:
        at_work()
        return []

    bot = make_bot("self.get_candles(1); import time; time.sleep(1000)")
    return make_job(bot, snapshot=Snapshot(12.5, candles=candles))


def soon[T](condition: Callable[[], T], seconds: float = 10.0) -> T:
    """Wait until the condition holds, and return what it came to."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds


def children_in(nursery: Nursery, zygote: Zygote) -> set[int]:
    """Return the zygote's processes as soon as one of them waits for an order.

    A run that was killed and has not ended yet would pass for that one: wait for its end before.
    """
    idle = 2 if Layer.DOORMAN in nursery.layers else 1

    def look() -> set[int]:
        children = children_of(zygote.pid)
        return children if len(children) == idle else set()

    children = soon(look)
    assert children
    return children


def children_of(pid: int) -> set[int]:
    """Return the processes that it has started and that have not ended."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "status").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if b"\nPPid:\t%d\n" % pid in status and b"\nState:\tZ" not in status:
            found.add(int(process.name))
    return found
