"""What confinement costs: a confined run beside a bare fork, a cold process, and fork and exit alone.

Variants are run in turn in one loop, so that a machine whose speed drifts slows them alike: read the ratios.
With walls and without, either is first by turns, and each comes a moment after the one before, when the
kernel has cleared that one away and the next process waits for its order. On a busy machine a ratio of clocks
says little; that of CPU time, of all processes that take part, says more.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from django.conf import settings

import bot_sdk.examples
from bot_sdk.bot import Snapshot
from bot_sdk.indicators import add_indicators
from bot_sdk.model_files import ModelFile
from bot_sdk.process.questions import Interview
from execution.sandbox import Job, Limits, Run, Verdict, encode_frame, prove, runtime
from execution.sandbox.batch import Batch
from execution.sandbox.choice import ENGINES
from execution.sandbox.landlock import Landlock
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import run_batch_in, run_in
from tests.execution.sandbox.jobs import children_of
from tests.onnx_models import lstm_model

PAIRS = 250
REST_SECONDS = 0.03
COLD_ROUNDS = 5
RATE_RUNS = 150
SETTINGS = 50
CONCURRENT = 20
LIMITS = Limits(seconds=30, memory_mb=512, cpu_percent=100)
NO_WALLS = ()

COLD = """
import sys, json
import numpy, pandas
from bot_sdk.bot import connect, Snapshot
from bot_sdk.bot_file import bot_class_in
from bot_sdk.process.frame import decode_frame
from bot_sdk import Action
import pathlib
code, frame = pathlib.Path(sys.argv[1]).read_text(), decode_frame(pathlib.Path(sys.argv[2]).read_bytes())
import types
module = types.ModuleType("bot"); sys.modules["bot"] = module
exec(compile(code, "bot.py", "exec"), vars(module))
connect(Snapshot(1.0))
print(bot_class_in(vars(module))({}, {}).execute_algorithm(frame, "1h", {}).action)
"""
FLOOR = """
import gc, json, os, sys, time
import numpy, pandas
gc.collect(); gc.freeze(); gc.disable()
def once(touch):
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        if touch:
            frame = pandas.DataFrame(numpy.ones((500, 40)))
            frame[3].iloc[-1]
        os._exit(0)
    os.waitpid(pid, 0)
    return time.perf_counter() - start
import resource
before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
bare = sorted(once(False) for _ in range(100))[50]
middle = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
touching = sorted(once(True) for _ in range(100))[50]
after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
print(json.dumps([bare, touching, (middle - before) / 100, (after - middle) / 100]))
"""
SLEEPER = """
import time
from bot_sdk import Action, CustomBot

class Sleeper(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        data["close"].rolling(14).mean()
        time.sleep(8)
        return Action("HOLD", 1.0, "")
"""
LSTM_BOT = """
from bot_sdk import Action, CustomBot

class LSTMBot(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        features = data[["open", "high", "low", "close", "volume"]].values[-60:].reshape(1, 60, 5)
        prediction = self.config["models"]["MODEL"].predict(features)
        return Action("HOLD", data["close"].iloc[-1], f"LSTM: {prediction[0][0]:.4f}")
"""


def report() -> None:
    job = make_job(Path(bot_sdk.examples.__path__[0], "rsi_bot.py").read_text())
    heavy = replace(job, code=f"import pandas_ta\nimport sklearn.linear_model\n{job.code}")
    engine = prove()
    with (
        closing(Nursery(engine, engine.layers())) as confined,
        closing(Nursery(Landlock(), NO_WALLS)) as bare,
        cold_process(job) as cold,
        cold_process(heavy) as heavy_cold,
    ):
        print(f"one decision of the RSI bot on 500 candles with 45 columns, engine {engine.name}, median:")
        walls = report_walls(confined, bare, job)
        warm, cold_seconds = in_turn(lambda: run_in(confined, job, LIMITS), cold, COLD_ROUNDS)
        factor = cold_seconds / warm
        print(f"  cold process, no walls   {cold_seconds * 1000:7.0f} ms   this / confined: {factor:.0f}")
        checked(run_in(confined, heavy, LIMITS))
        warm, cold_seconds = in_turn(lambda: run_in(confined, heavy, LIMITS), heavy_cold, COLD_ROUNDS)
        print(
            f"  a bot with pandas-ta and scikit-learn: confined {warm * 1000:.1f} ms, "
            f"cold {cold_seconds * 1000:.0f} ms, this / confined: {cold_seconds / warm:.0f}"
        )
        report_floor(walls)
        report_rate(confined, job)
        report_batch(confined, job)
        report_memory(confined)
        report_lstm(confined)
        report_engines(job)
    print()


def make_job(code: str, **overrides: object) -> Job:
    dice = np.random.default_rng(1)
    close = 100 + dice.normal(0, 1, 1000).cumsum()
    index = pd.date_range("2026-01-01", periods=1000, freq="h", tz="UTC", name="opened_at")
    candles = pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": dice.random(1000) + 1},
        index=index,
    )
    frame = encode_frame(add_indicators(candles).iloc[-500:])
    values: dict[str, object] = {
        "frame": frame,
        "timeframe": "1h",
        "config": {},
        "subscription_config": {},
        "snapshot": Snapshot(100.0),
    }
    return Job(code=code, **(values | overrides))  # type: ignore[arg-type]


def report_walls(confined: Nursery, bare: Nursery, job: Job) -> float:
    """Show what the walls cost, and return the seconds of a confined run."""
    nurseries = {"confined run": confined, "same zygote, no walls": bare}
    times: dict[str, list[float]] = {name: [] for name in nurseries}
    cpu_seconds = dict.fromkeys(nurseries, 0.0)
    for name, nursery in nurseries.items():
        checked(run_in(nursery, job, LIMITS))
        time.sleep(REST_SECONDS)
        cpu_seconds[name] -= cpu_of_zygote(nursery)
    for pair in range(PAIRS):
        for name in sorted(nurseries, reverse=bool(pair % 2)):
            time.sleep(REST_SECONDS)
            start, own_start = time.perf_counter(), time.process_time()
            checked(run_in(nurseries[name], job, LIMITS))
            times[name].append(time.perf_counter() - start)
            cpu_seconds[name] += time.process_time() - own_start
    time.sleep(REST_SECONDS)
    for name, nursery in nurseries.items():
        cpu_seconds[name] += cpu_of_zygote(nursery)
        cpu = f"{cpu_seconds[name] / PAIRS * 1000:.1f} ms of CPU time for all that it takes"
        print(f"  {name:24} {median(times[name]) * 1000:7.1f} ms   {cpu}")
    ratios = sorted(one / other for one, other in zip(*times.values(), strict=True))
    unsure = round(PAIRS**0.5)  # ranks to either side of the median, where it is 19 times of 20
    low, high = ratios[PAIRS // 2 - unsure], ratios[PAIRS // 2 + unsure]
    with_walls, without = cpu_seconds.values()
    print(f"  confined / no walls, pair by pair: {median(ratios):.2f} ({low:.2f} to {high:.2f})")
    print(f"  the same of CPU time: {with_walls / without:.2f}")
    return median(times["confined run"])


def cpu_of_zygote(nursery: Nursery) -> float:
    """Return the CPU seconds of its zygote, and of all that was forked from it."""
    with nursery.zygote(()) as zygote:
        living = [zygote.pid, *children_of(zygote.pid)]
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in living]
    return sum(int(ticks) for own in fields for ticks in own[11:15]) / os.sysconf("SC_CLK_TCK")


def in_turn(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median seconds of each, called one after the other."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, seconds in zip((first, second), times, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return median(times[0]), median(times[1])


@contextmanager
def cold_process(job: Job) -> Iterator[Callable[[], object]]:
    """What it took without a zygote: a new interpreter that imports, reads, decides."""
    folder = Path(settings.STATE_DIR)
    code, frame = folder / f"bench_{len(job.code)}.py", folder / f"bench_{len(job.code)}.frame"
    code.write_text(job.code)
    frame.write_bytes(job.frame)
    command = [*runtime.command_outside(), "-c", COLD, str(code), str(frame)]
    try:
        yield lambda: subprocess.run(
            command, env=runtime.environment_outside(), check=True, capture_output=True
        )
    finally:
        code.unlink()
        frame.unlink()


def checked(run: Run) -> Run:
    if run.verdict != Verdict.OK:
        raise SystemExit(f"A run ended {run.verdict}: {run.message} The figure would mean nothing.")
    return run


def report_floor(confined: float) -> None:
    """Show what of a run is the kernel's own work: fork, page faults, exit."""
    done = subprocess.run(
        [*runtime.command_outside(), "-c", FLOOR],
        env=runtime.environment_outside(),
        check=True,
        capture_output=True,
        text=True,
    )
    bare, touching, few, many = json.loads(done.stdout)
    for name, seconds, faults in (
        ("fork and exit alone", bare, few),
        ("and building a frame", touching, many),
    ):
        ratio = confined / seconds
        print(
            f"  {name:24} {seconds * 1000:7.1f} ms   {faults:.0f} page faults, confined / this: {ratio:.1f}"
        )


def report_rate(nursery: Nursery, job: Job) -> None:
    for threads in (1, 2, 4, 8):
        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            for run in pool.map(lambda _: run_in(nursery, job, LIMITS), range(RATE_RUNS)):
                checked(run)
            rate = RATE_RUNS / (time.perf_counter() - start)
        print(f"  {threads} at a time: {rate:.0f} confined decisions a second")


def report_batch(nursery: Nursery, job: Job) -> None:
    """Show what an operator gains who lets a stateless version answer for several settings in one process."""
    jobs = [replace(job, config={"rsi_oversold": float(n)}) for n in range(SETTINGS)]
    batch, each = in_turn(
        lambda: run_batch_in(nursery, Batch(jobs), LIMITS),
        lambda: [checked(run_in(nursery, one, LIMITS)) for one in jobs],
        3,
    )
    print(
        f"  {SETTINGS} settings: {each * 1000:.0f} ms in a process each, {batch * 1000:.0f} ms in one for all"
    )


def report_memory(nursery: Nursery) -> None:
    """Show what one more sleeping run costs, of memory that it shares with nobody."""
    job = make_job(SLEEPER)
    with ExitStack() as stack, ThreadPoolExecutor(CONCURRENT) as pool:
        zygote = stack.enter_context(nursery.zygote(()))
        runs = [stack.enter_context(zygote.run(Interview(job), LIMITS)) for _ in range(CONCURRENT)]
        ends = [pool.submit(run.follow) for run in runs]
        time.sleep(3)
        private = [private_mb(run.process.pid) for run in runs]
        for end in ends:
            end.result()
    print(f"  {CONCURRENT} runs side by side: {median(private):.1f} MB of private memory each")


def private_mb(pid: int) -> float:
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    return int(fields["Private_Dirty"].split()[0]) / 1024


def report_lstm(nursery: Nursery) -> None:
    job = make_job(LSTM_BOT, models=(ModelFile("MODEL", "model.onnx", lstm_model()),))
    checked(run_in(nursery, job, LIMITS))
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        checked(run_in(nursery, job, LIMITS))
        seconds.append(time.perf_counter() - start)
    print(f"  LSTM of 60 candles in ONNX, opened in each run: {median(seconds) * 1000:.1f} ms")


def report_engines(job: Job) -> None:
    for engine in ENGINES:
        with closing(Nursery(engine, engine.layers())) as nursery:
            start = time.perf_counter()
            checked(run_in(nursery, job, LIMITS))
            first = time.perf_counter() - start
            times = []
            for _ in range(40):
                start = time.perf_counter()
                checked(run_in(nursery, job, LIMITS))
                times.append(time.perf_counter() - start)
        print(f"  engine {engine.name:10} first run {first:.1f} s, then {median(times) * 1000:.1f} ms")
