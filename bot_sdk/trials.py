"""A bot on trial: run over a history, or at one candle of it by itself, in the ways it is run for traders.

What it answers is written down, with what was held when it answered. A process that ends early leaves its
verdict as the last answer.
"""

import functools
import random
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from bot_sdk.account import snapshot_of
from bot_sdk.action import HOLD, Action
from bot_sdk.backtest import Backtest, Setup
from bot_sdk.history import WINDOW_CANDLES, History
from bot_sdk.ledger import Holding
from bot_sdk.model_files import ModelFile
from bot_sdk.process.frame import encode_frame
from bot_sdk.process.job import Job, Limits, Run
from bot_sdk.process.verdicts import Verdict
from bot_sdk.runner import Runner, RunUnavailable
from bot_sdk.variants import part
from bot_sdk.window import GrowingWindow

SAMPLES = 20  # candles that are decided by a process of their own

Answer = Action | str  # a text says how the bot failed


class Heard(NamedTuple):
    """What the bot answered, and what was held before that was acted on."""

    answer: Answer
    holding: Holding


@dataclass(frozen=True, slots=True)
class Recording:
    """One run over a history: what was heard, by row, and the backtest that it was.

    `broke_off_at` is the row at which the process ended too early, None when it did not.
    """

    heard: dict[int, Heard]
    run: Run
    trial: Backtest
    broke_off_at: int | None


@dataclass(frozen=True)
class Subject:
    """A bot with all that it is tried on.

    `history` begins at its indicators' anchor, as `load_history` has it, and has no smaller timeframe.
    `limits` hold for each process, be it for the whole history or for one candle, and `runner` runs it. What
    is drawn at random is drawn from `seed`.
    """

    code: str
    models: tuple[ModelFile, ...]
    setup: Setup
    history: History
    limits: Limits
    runner: Runner
    seed: int = 0

    @functools.cached_property
    def recording(self) -> Recording:
        """The strict run over the whole history, in which the bot cannot know what is to come."""
        return record(self, self.history, is_strict=True)

    @functools.cached_property
    def runs_alone(self) -> dict[int, Run]:
        """Rows drawn from those of the recording, each decided by a process of its own."""
        rows = self.drawn(list(self.recording.heard), SAMPLES)
        return {row: decide_alone(self, row) for row in rows}

    def drawn(self, rows: list[int], count: int) -> list[int]:
        """Return `count` of the recorded rows, ascending: half of them, if there are as many, with a wish."""
        generator = random.Random(self.seed)
        wishes = [row for row in rows if _is_wish(self.recording.heard[row].answer)]
        chosen = set(generator.sample(wishes, min(count // 2, len(wishes))))
        others = [row for row in rows if row not in chosen]
        chosen.update(generator.sample(others, min(count - len(chosen), len(others))))
        return sorted(chosen)


def record(subject: Subject, history: History, *, is_strict: bool, until: int | None = None) -> Recording:
    """Run the bot over `history` in one process, up to before the row `until`, and return what was heard.

    Unless it `is_strict`, later rows are in the process's memory already. Raises RunUnavailable.
    """
    heard: dict[int, Heard] = {}
    end = len(history) if until is None else until

    def note(answer: Answer) -> None:
        heard[trial.row] = Heard(answer, trial.desk.holding)

    trial = Backtest(history, subject.setup, heard=note)
    run = subject.runner.rehearse(
        trial,
        subject.code,
        subject.models,
        subject.limits,
        is_strict=is_strict,
        goes_on=lambda: trial.row < end,
    )
    _demand_process(run)
    if run.verdict == Verdict.OK:
        return Recording(heard, run, trial, None)
    broke_off_at = trial.row if trial.row not in heard and not trial.is_over else max(heard)
    heard[broke_off_at] = Heard(f"{run.verdict}: {run.message}", trial.desk.holding)
    return Recording(heard, run, trial, broke_off_at)


def decide_alone(subject: Subject, row: int, candles: int | None = None) -> Run:
    """Have a new process decide a recorded row, as a live cycle does, for an account that holds the same.

    With `candles` the market began only so many candles before the row's close. Raises RunUnavailable.
    """
    holding = subject.recording.heard[row].holding
    history = subject.history
    if candles is not None:
        history, row = part(history, row + 1 - candles, row + 1), candles - 1
    task = subject.setup.task()
    run = subject.runner.run(
        Job(
            code=subject.code,
            frame=encode_frame(_window(history, row)),
            timeframe=task["timeframe"],
            config=task["config"],
            subscription_config=task["subscription_config"],
            snapshot=snapshot_of(
                holding, history.bar(row).close, subject.setup.trading_pair, history.newest_candles(row)
            ),
            models=subject.models,
        ),
        subject.limits,
    )
    _demand_process(run)
    return run


def answer_of(run: Run) -> Answer:
    """Return what the bot answered in a run of its own."""
    return run.action or f"{run.verdict}: {run.message}"


def _window(history: History, row: int) -> pd.DataFrame:
    window = GrowingWindow(history.columns, length=WINDOW_CANDLES, lazy=False)
    for each in range(max(row - WINDOW_CANDLES + 1, 0), row + 1):
        window.append(int(history.stamps[each]), history.rows[each])
    return window.frame()


def _is_wish(answer: Answer) -> bool:
    return isinstance(answer, Action) and answer.action != HOLD


def _demand_process(run: Run) -> None:
    if run.verdict == Verdict.UNAVAILABLE:
        raise RunUnavailable(run.message)
