"""A developer's machine and the platform answer alike: the same steps, once unconfined, once confined."""

import textwrap
from dataclasses import replace
from decimal import Decimal

import pytest

from bot_sdk import own_process
from bot_sdk.checks import CheckResult, CostLimits, cost
from bot_sdk.gate import Candidate, take, take_each
from bot_sdk.gate_steps import GATE_STEPS
from bot_sdk.history import History, with_indicators
from bot_sdk.model_files import ModelFile
from bot_sdk.runner import Runner
from bot_sdk.sample_markets import REFERENCE, Scene
from execution import sandbox
from tests.bot_sdk.samples import wavy_candles

FIRST = 20
ON_BOTH: tuple[Runner, Runner] = (own_process, sandbox)
CODES = [code for code, step in GATE_STEPS.items() if not step.needs_platform]


def make_candidate(code: str, runner: Runner, *models: ModelFile) -> Candidate:
    history = History(with_indicators(wavy_candles(60), "1h"), "1h", first=FIRST)
    scene = Scene("waves", "BTC/USDT", history, REFERENCE.terms(Decimal(1000)))
    return Candidate(code.encode(), runner, models, lambda _: scene)


def make_code(body: str, before: str = "") -> str:
    """Return a bot whose `execute_algorithm` has this body."""
    head = f"from bot_sdk import Action, CustomBot, Parameter\n{textwrap.dedent(before)}\n"
    method = "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
    declared = f"class Tried(CustomBot):\n    warm_up = {FIRST}\n{method}"
    return f"{head}\n{declared}{textwrap.indent(textwrap.dedent(body), ' ' * 8)}\n"


def told(result: CheckResult) -> CheckResult:
    """Return the result without what decisions cost, which is the machine's own."""
    return replace(result, sentence="") if result.code == "cost" else result


GOOD = make_code(
    """
    close = data["close"].iloc[-1]
    wish = "BUY" if close < data["sma_20"].iloc[-1] else "SELL" if random.random() < 0.1 else "HOLD"
    return Action(wish, close, f"{self.get_balance('USDT')} {len(self.get_candles(10))}")
    """,
    before="import random\nrandom.seed(7)",
)


@pytest.fixture(scope="module")
def honest() -> tuple[Candidate, Candidate]:
    own, confined = (make_candidate(GOOD, runner) for runner in ON_BOTH)
    return own, confined


def test_an_honest_bot_passes_every_step_on_both_sides(honest: tuple[Candidate, Candidate]) -> None:
    own, confined = ([told(each) for each in take_each(candidate)] for candidate in honest)

    assert [each for each in own if not each.passed] == []
    assert [each.code for each in own] == CODES
    assert own == confined


HEAD = "from bot_sdk import Action, CustomBot, Parameter\n"
BAD: dict[str, tuple[str, str]] = {
    "a text that is no Python": ("source", "def f(:\n"),
    "a forbidden import": ("policy", make_code("return Action('HOLD', 1.0)", before="import os")),
    "an exit at import": ("load", make_code("return Action('HOLD', 1.0)", before="import os\nos._exit(3)")),
    "a quiet exit at import": ("load", make_code("return Action('HOLD', 1.0)", before="raise SystemExit")),
    "two bots": ("load", HEAD + "A = type('A', (CustomBot,), {})\nB = type('B', (CustomBot,), {})\n"),
    "a signature of its own": (
        "load",
        HEAD + "class A(CustomBot):\n    def execute_algorithm(self, data): return Action('HOLD', 1.0)\n",
    ),
    "a parameter twice": (
        "load",
        HEAD
        + "class A(CustomBot):\n    parameters = [Parameter('x', 'integer', 1)] * 2\n"
        + "    def execute_algorithm(self, *given): return Action('HOLD', 1.0)\n",
    ),
    "a division by a price that never moves": (
        "dry_runs",
        make_code("close = data['close']\nreturn Action('HOLD', 1 / float(close.max() > close.min()))"),
    ),
    "a draw from outside": (
        "determinism",
        make_code("return Action('HOLD', 1.0, os.urandom(8).hex())", before="import os"),
    ),
    "a dig for later candles": (
        "look_ahead",
        make_code(
            """
            close = data["close"].iloc[-1]
            if len(data) != 41:
                return Action("HOLD", close)
            rows = [each.values for each in gc.get_objects() if type(each).__name__ == "Row"]
            seen = [values[3] for values in rows if values[0] == close]
            return Action("HOLD", close, f"it will be {seen}")
            """,
            before="import gc",
        ),
    ),
    "a count of its calls": (
        "statelessness",
        make_code(
            "global calls\ncalls += 1\nreturn Action('HOLD', 1.0, f'call {calls}')", before="calls = 0"
        ),
    ),
    "a need of more candles": (
        "warm_up",
        make_code("return Action('BUY' if len(data) > 40 else 'HOLD', 1.0)"),
    ),
    "an end in the middle": (
        "reference_backtest",
        make_code("if len(data) == 31: import os; os._exit(3)\nreturn Action('HOLD', 1.0)"),
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bot_fails_the_same_step_with_the_same_evidence_on_both_sides(what: str) -> None:
    step, code = BAD[what]

    own, confined = (take(step, make_candidate(code, runner)) for runner in ON_BOTH)

    assert not own.passed
    if what == "a draw from outside":  # other bytes at each look
        own, confined = (replace(each, expected="", came="") for each in (own, confined))
    assert own == confined


def test_a_model_that_does_not_open_is_named_on_both_sides() -> None:
    broken = ModelFile("MODEL", "model.json", b"{")

    own, confined = (take("models", make_candidate(GOOD, runner, broken)) for runner in ON_BOTH)

    assert not own.passed
    assert "model.json cannot be opened" in (own.came or "")
    assert own == confined


def test_a_costly_bot_fails_on_both_sides(honest: tuple[Candidate, Candidate]) -> None:
    strict = CostLimits(cpu_seconds=10, peak_memory_mb=1)

    results = [cost(candidate.subject, strict) for candidate in honest]

    assert [each.passed for each in results] == [False, False]
    assert {each.expected for each in results} == {"at most 1 MB of memory"}
    assert len({each.failed_at for each in results}) == 1
