"""Each check catches the bot that is made for it, at the right candle, and lets honest ones pass."""

import dataclasses
import textwrap
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import bot_sdk.examples
from bot_sdk.backtest import Setup
from bot_sdk.bot_file import load_bot_class
from bot_sdk.checks import (
    CheckResult,
    CostLimits,
    cost,
    determinism,
    look_ahead,
    measure_cost,
    statelessness,
    warm_up,
)
from bot_sdk.desk import Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.parameters import validate
from bot_sdk.trials import SAMPLES, Subject
from execution import sandbox
from execution.sandbox import Limits
from tests.bot_sdk.samples import make_execution, make_risk, make_rules, wavy_candles

EXAMPLES = Path(bot_sdk.examples.__path__[0])
FIRST, COUNT = 60, 200
ENOUGH = CostLimits(cpu_seconds=10, peak_memory_mb=1000)


def make_subject(code: str, config: dict[str, Any] | None = None) -> Subject:
    history = History(with_indicators(wavy_candles(COUNT), "1h"), "1h", first=FIRST)
    terms = Terms(Decimal(1000), make_rules(), make_execution(), make_risk(stop_loss_percent=4))
    setup = Setup("BINANCE", "BTC/USDT", "1h", terms, config or {})
    limits = Limits(seconds=60, memory_mb=256, cpu_percent=100)
    return Subject(code, (), setup, history, limits, sandbox)


def make_code(body: str, before: str = "") -> str:
    """Return a bot whose `execute_algorithm` has this body."""
    head = "from bot_sdk import Action, CustomBot\n" + textwrap.dedent(before)
    method = "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
    return f"{head}\nclass Tried(CustomBot):\n{method}{textwrap.indent(textwrap.dedent(body), ' ' * 8)}\n"


CHECKS: dict[str, Callable[[Subject], CheckResult]] = {
    "determinism": determinism,
    "look_ahead": look_ahead,
    "statelessness": statelessness,
    "warm_up": lambda subject: warm_up(subject, 100),
    "cost": lambda subject: cost(subject, ENOUGH),
}


@pytest.mark.parametrize("name", ["rsi_bot", "moving_average_cross", "bollinger_reversion"])
def test_the_examples_pass_every_check(name: str) -> None:
    path = EXAMPLES / f"{name}.py"
    subject = make_subject(path.read_text(), validate(load_bot_class(path).parameters, {}))

    results = [check(subject) for check in CHECKS.values()]

    assert [each for each in results if not each.passed] == []
    assert [each.code for each in results] == list(CHECKS)


DRAWING = make_code(
    """
    wish = random.choice(["BUY", "SELL", "HOLD"])
    return Action(wish, np.random.rand(), f"{self.get_position()['base_amount']}")
    """,
    before="import random\nimport numpy as np",
)


def test_a_bot_that_draws_numbers_and_asks_for_its_position_passes_too() -> None:
    subject = make_subject(DRAWING)

    assert [check(subject).passed for check in CHECKS.values()] == [True] * len(CHECKS)


def test_a_bot_that_fails_at_some_candles_alike_passes() -> None:
    code = make_code('if len(data) % 3 == 0: raise ValueError("third")\nreturn Action("HOLD", 1.0)')

    assert statelessness(make_subject(code)).passed


DIGGER = make_code(
    """
    close = data["close"].iloc[-1]
    for each in gc.get_objects():
        if type(each).__name__ == "Row" and each.values[0] == close:
            return Action("BUY", close, f"it will be {each.values[3]}")
    return Action("HOLD", close)
    """,
    before="import gc",
)


def test_a_bot_that_digs_for_later_candles_is_caught_at_the_first_one() -> None:
    subject = make_subject(DIGGER)

    found = look_ahead(subject)

    assert not found.passed
    assert found.failed_at == subject.history.opened_at(FIRST)
    close, next_close = subject.history.closes[FIRST : FIRST + 2].tolist()
    assert (found.expected, found.came) == (f"HOLD at {close}", f"BUY at {close}: it will be {next_close}")
    assert determinism(subject).passed


PEEKING_ONCE = make_code(
    """
    if data["close"].iloc[-1] != self.config["close"]:
        return Action("HOLD", 1.0)
    later = sum(type(each).__name__ == "Row" for each in gc.get_objects())
    return Action("BUY" if later > 1 else "HOLD", 1.0)
    """,
    before="import gc",
)


def test_a_bot_that_digs_at_one_candle_only_is_caught_there() -> None:
    row = 137
    close = float(wavy_candles(COUNT)["close"].iloc[row])
    subject = make_subject(PEEKING_ONCE, {"close": close})

    found = look_ahead(subject)

    assert found.failed_at == subject.history.opened_at(row)
    assert (found.expected, found.came) == ("HOLD at 1.0", "BUY at 1.0")


def test_a_bot_that_answers_by_chance_is_caught_at_the_first_candle_where_it_does() -> None:
    code = make_code(
        """
        reason = os.urandom(8).hex() if len(data) >= 100 else ""
        return Action("HOLD", 1.0, reason)
        """,
        before="import os",
    )
    subject = make_subject(code)

    found = determinism(subject)

    assert not found.passed
    assert found.failed_at == subject.history.opened_at(99)
    assert found.expected != found.came


STATEFUL = make_code(
    """
    global calls
    calls += 1
    return Action("HOLD", 1.0, f"call {calls}")
    """,
    before="calls = 0",
)


def test_a_bot_that_counts_its_calls_is_not_stateless() -> None:
    subject = make_subject(STATEFUL)

    found = statelessness(subject)

    assert not found.passed
    first = min(row for row in subject.runs_alone if row > FIRST)
    assert found.failed_at == subject.history.opened_at(first)
    assert found.expected == "HOLD at 1.0: call 1"
    assert found.came == f"HOLD at 1.0: call {first - FIRST + 1}"
    assert determinism(subject).passed
    assert look_ahead(subject).passed


NEEDY = make_code('return Action("BUY" if len(data) >= 120 else "HOLD", 1.0)')


@pytest.mark.parametrize(("candles", "passed"), [(119, False), (120, True)])
def test_a_bot_that_needs_more_candles_than_it_says_is_caught(candles: int, passed: bool) -> None:
    subject = make_subject(NEEDY)

    found = warm_up(subject, candles)

    assert found.passed == passed
    if not passed:
        assert found.failed_at is not None
        assert found.failed_at >= subject.history.opened_at(119)
        assert (found.expected, found.came) == ("BUY at 1.0", "HOLD at 1.0")


def test_a_warm_up_counts_the_indicators_own_candles() -> None:
    code = make_code('return Action("BUY" if data["sma_50"].iloc[-1] > 0 else "HOLD", 1.0)')
    subject = make_subject(code)

    assert not warm_up(subject, 49).passed
    assert warm_up(subject, 50).passed


def test_a_warm_up_longer_than_the_history_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match="longer history"):
        warm_up(make_subject(NEEDY), COUNT)


# hungry at every tenth candle
HUNGRY = make_code(
    """
    if len(data) % 10:
        return Action("HOLD", 1.0)
    kept = b"x" * (60 << 20)
    sum(range(4_000_000))
    return Action("BUY", 1.0)
    """
)


def test_a_bot_that_costs_too_much_is_caught_at_the_first_candle_that_does() -> None:
    subject = make_subject(HUNGRY)
    usual = measure_cost(subject)
    cheapest = min(run.cpu_seconds for run in subject.runs_alone.values())
    memory = min(run.peak_memory_mb for run in subject.runs_alone.values())

    slow = cost(subject, CostLimits(cpu_seconds=(cheapest + usual.p95_cpu_seconds) / 2, peak_memory_mb=1000))
    large = cost(subject, CostLimits(cpu_seconds=10, peak_memory_mb=memory + 30))

    first = min(row for row in subject.runs_alone if (row + 1) % 10 == 0)
    assert [slow.passed, large.passed] == [False, False]
    assert large.failed_at == subject.history.opened_at(first)
    assert large.expected == f"at most {memory + 30:g} MB of memory"
    assert "CPU seconds" in (slow.came or "")


def test_costs_are_those_of_decisions_in_processes_of_their_own() -> None:
    subject = make_subject(HUNGRY)

    found = measure_cost(subject)

    assert len(subject.runs_alone) == SAMPLES
    assert 0 < found.median_cpu_seconds <= found.p95_cpu_seconds
    assert found.p95_cpu_seconds < found.total_cpu_seconds
    assert 60 < found.median_memory_mb <= found.p95_memory_mb
    assert cost(subject, ENOUGH).passed


@pytest.mark.parametrize("check", CHECKS)
def test_a_bot_that_ends_early_passes_no_check(check: str) -> None:
    code = make_code("if len(data) == 91: import os; os._exit(3)\nreturn Action('HOLD', 1.0)")
    subject = make_subject(code)

    found = CHECKS[check](subject)

    assert not found.passed
    assert found.failed_at == subject.history.opened_at(90)
    assert found.expected == "an answer at every candle"
    assert (found.came or "").startswith("CRASHED")


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_proven_by_a_history_on_which_the_bot_is_never_asked(check: str) -> None:
    subject = make_subject(make_code('return Action("HOLD", 1.0)'))
    candles = wavy_candles(COUNT)
    sparse = candles.set_axis(candles.index[0] + (candles.index - candles.index[0]) * 3)
    history = History(with_indicators(sparse, "1h"), "1h", first=FIRST)

    with pytest.raises(ValueError, match="asked at no candle"):
        CHECKS[check](dataclasses.replace(subject, history=history))
