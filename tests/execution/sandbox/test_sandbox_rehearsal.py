"""A backtest in the sandbox: what the bot is shown, when, and that all else is as in the developer's loop."""

import textwrap
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bot_sdk.examples
from bot_sdk import Action
from bot_sdk.backtest import Backtest, Heard, Setup, run
from bot_sdk.bot_file import load_bot_class
from bot_sdk.desk import Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.parameters import validate
from bot_sdk.process.rehearsal import MOST_FAILURES_IN_A_ROW, STRICT, Rehearsal
from execution.sandbox import Limits, Run, Verdict, rehearse
from execution.sandbox.choice import ENGINES
from execution.sandbox.engine import Engine
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import rehearse_in
from tests.bot_sdk.samples import make_execution, make_risk, make_rules, wavy_candles

EXAMPLES = Path(bot_sdk.examples.__path__[0])
ROOMY = Limits(seconds=60, memory_mb=256, cpu_percent=100)
FIRST = 60


def make_code(body: str, before: str = "") -> str:
    """Return a bot whose `execute_algorithm` has this body."""
    head = "from bot_sdk import Action, CustomBot\n" + textwrap.dedent(before)
    method = "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
    return f"{head}\nclass Tried(CustomBot):\n{method}{textwrap.indent(textwrap.dedent(body), ' ' * 8)}\n"


def make_backtest(
    candles: int = 200, config: dict[str, Any] | None = None, heard: Heard | None = None
) -> Backtest:
    frame = with_indicators(wavy_candles(candles), "1h")
    terms = Terms(
        capital=Decimal(1000),
        rules=make_rules(),
        execution=make_execution(),
        risk=make_risk(stop_loss_percent=4, take_profit_percent=6),
    )
    setup = Setup("BINANCE", "BTC/USDT", "1h", terms, config or {})
    return Backtest(History(frame, "1h", first=FIRST), setup, heard=heard)


def tried(code: str, backtest: Backtest, *, is_strict: bool = True, **overrides: Any) -> Run:
    options: dict[str, Any] = {"goes_on": lambda: True, "limits": ROOMY} | overrides
    return rehearse(backtest, code, (), is_strict=is_strict, **options)


@pytest.mark.parametrize("name", ["rsi_bot", "moving_average_cross", "bollinger_reversion"])
def test_both_ways_of_releasing_candles_give_what_the_developers_own_loop_gives(name: str) -> None:
    path = EXAMPLES / f"{name}.py"
    bot_class = load_bot_class(path)
    config = validate(bot_class.parameters, {})

    at_home = run(bot_class, make_backtest(config=config), code=path.read_bytes())
    strict, ahead = make_backtest(config=config), make_backtest(config=config)
    runs = [tried(path.read_text(), strict), tried(path.read_text(), ahead, is_strict=False)]

    assert [each.verdict for each in runs] == [Verdict.OK, Verdict.OK]
    assert at_home.desk.fills
    for backtest in (strict, ahead):
        assert backtest.is_over
        assert backtest.desk.fills == at_home.desk.fills
        assert backtest.answered == at_home.answered
        assert np.array_equal(backtest.worth().equity, at_home.worth().equity)


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def nursery(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    engine: Engine = request.param
    nursery = Nursery(engine, engine.layers())
    yield nursery
    nursery.close()


def test_every_engine_rehearses(nursery: Nursery) -> None:
    backtest = make_backtest(80)
    code = make_code('return Action("HOLD", data["close"].iloc[-1])')

    ended = rehearse_in(nursery, Rehearsal(backtest, code, (), ahead=STRICT, goes_on=lambda: True), ROOMY)

    assert (ended.verdict, backtest.answered) == (Verdict.OK, {"HOLD": 20})


DIGGER = make_code(
    """
    import gc
    wanted = subscription_config["strategy_config"]["close"]
    found = sum(
        bool((each == wanted).any())
        for each in gc.get_objects()
        if type(each) is np.ndarray and each.dtype == np.float64
    )
    block = np.array(data.values.base)
    return Action("HOLD", 1.0, f"{found} {bool((block == wanted).any())}")
    """,
    before="import numpy as np",
)


def seen_by_digger(*, is_strict: bool) -> list[str]:
    backtest = make_backtest()
    close_to_come = float(backtest.history.closes[-1])
    said: list[Action | str] = []
    backtest = make_backtest(config={"close": close_to_come}, heard=said.append)

    assert tried(DIGGER, backtest, is_strict=is_strict).verdict == Verdict.OK
    return [each.reason if isinstance(each, Action) else each for each in said]


def test_released_strictly_the_future_is_nowhere_in_the_bots_memory() -> None:
    reasons = seen_by_digger(is_strict=True)

    assert set(reasons[:-1]) == {"0 False"}
    assert reasons[-1] != "0 False"  # the last candle is found once it is there


def test_released_ahead_a_bot_that_digs_can_find_the_future_which_is_why_the_gate_is_strict() -> None:
    assert set(seen_by_digger(is_strict=False)) != {"0 False"}


def test_a_bot_is_told_of_its_account_as_it_stands_at_each_candle() -> None:
    code = make_code(
        """
        position = self.get_position()["base_amount"]
        candles = self.get_candles(3)
        assert candles["close"].iloc[-1] == data["close"].iloc[-1]
        return Action("SELL" if position else "BUY", self.get_current_price(), f"{position}")
        """
    )
    strict, ahead = make_backtest(), make_backtest()

    runs = [tried(code, strict), tried(code, ahead, is_strict=False)]

    assert [each.verdict for each in runs] == [Verdict.OK, Verdict.OK]
    assert strict.failed == 0
    assert strict.answered["BUY"] > 10
    assert strict.answered["SELL"] > 10
    assert ahead.desk.fills == strict.desk.fills


def test_a_bot_that_fails_at_some_candles_is_asked_at_the_others() -> None:
    code = make_code(
        """
        if len(data) % 2:
            raise RuntimeError("odd")
        return Action("HOLD", 1.0)
        """
    )
    backtest = make_backtest()

    assert tried(code, backtest).verdict == Verdict.OK

    assert (backtest.failed, backtest.answered["HOLD"]) == (70, 70)
    assert backtest.failures[0].message == "RuntimeError: odd (bot.py, line 7)"


@pytest.mark.parametrize("code", ["def", "raise RuntimeError('no')", make_code('raise RuntimeError("no")')])
def test_a_bot_that_always_fails_is_given_up(code: str) -> None:
    backtest = make_backtest()

    ended = tried(code, backtest)

    assert ended.verdict == Verdict.FAILED
    assert "no" in ended.message or "SyntaxError" in ended.message
    assert backtest.failed == MOST_FAILURES_IN_A_ROW


@pytest.mark.parametrize(
    ("body", "limits", "verdict"),
    [
        ("while True: pass", Limits(seconds=5, memory_mb=256, cpu_percent=100), Verdict.TIMED_OUT),
        ("x = [bytes(1 << 20) for _ in range(1 << 20)]", ROOMY, Verdict.OUT_OF_MEMORY),
        ("import os; os._exit(3)", ROOMY, Verdict.CRASHED),
        ("import os; os.write(3, b'nonsense\\n')", ROOMY, Verdict.BAD_REPLY),
    ],
)
def test_what_ends_the_process_ends_the_backtest_with_what_was_found(
    body: str, limits: Limits, verdict: Verdict
) -> None:
    code = make_code(f'if len(data) == {FIRST + 11}:\n    {body}\nreturn Action("HOLD", 1.0)')
    backtest = make_backtest()

    ended = tried(code, backtest, limits=limits)

    failed = [failure.message for failure in backtest.failures]
    assert ended.verdict == verdict or (verdict == Verdict.OUT_OF_MEMORY and "memory" in failed[0])
    assert backtest.answered["HOLD"] >= 10


def test_a_backtest_is_stopped_between_two_candles() -> None:
    backtest = make_backtest()
    code = make_code('return Action("HOLD", 1.0)')

    ended = tried(code, backtest, goes_on=lambda: backtest.row < FIRST + 30)

    assert ended.verdict == Verdict.OK
    assert not backtest.is_over
    assert backtest.answered["HOLD"] == 30


def test_a_backtest_is_stopped_while_the_bot_is_busy_with_one_candle() -> None:
    backtest = make_backtest()
    code = make_code(f'while len(data) == {FIRST + 6}:\n    pass\nreturn Action("HOLD", 1.0)')
    rows: list[int] = []

    def goes_on() -> bool:
        rows.append(backtest.row)
        return rows.count(FIRST + 5) < 3

    ended = tried(code, backtest, goes_on=goes_on)

    assert (ended.verdict, backtest.answered["HOLD"]) == (Verdict.OK, 5)


def test_what_a_bot_says_in_a_flood_is_not_heard_after_its_time() -> None:
    backtest = make_backtest(heard=lambda _: time.sleep(0.2))
    answer = b'{"action": "HOLD", "value": 1, "reason": ""}\n'
    code = make_code(f"import os\nos.write(3, {answer!r} * 100)\nwhile True: pass")

    ended = tried(code, backtest, limits=Limits(seconds=1, memory_mb=256, cpu_percent=100))

    assert ended.verdict == Verdict.TIMED_OUT
    assert backtest.answered["HOLD"] <= 6


def test_a_bot_that_asks_without_end_at_one_candle_is_ended() -> None:
    code = make_code("while True: self.get_current_price()")
    backtest = make_backtest()

    ended = tried(code, backtest)

    assert ended.verdict == Verdict.BAD_REPLY
    assert "questions" in ended.message


def test_many_questions_over_many_candles_are_fine() -> None:
    code = make_code(
        """
        for _ in range(5):
            self.get_current_price()
        return Action("HOLD", 1.0)
        """
    )
    backtest = make_backtest()

    assert tried(code, backtest, is_strict=False).verdict == Verdict.OK
    assert backtest.failed == 0


def test_long_reasons_on_both_sides_block_nobody() -> None:
    code = make_code('return Action("HOLD", 1.0, chr(0x1F600) * 500)')
    backtest = make_backtest(2000)

    assert tried(code, backtest, is_strict=False).verdict == Verdict.OK
    assert backtest.answered["HOLD"] == 2000 - FIRST


def test_random_numbers_are_drawn_alike_at_home_and_confined(tmp_path: Path) -> None:
    code = make_code(
        'return Action(random.choice(["BUY", "SELL"]), np.random.rand())',
        before="import random\nimport numpy as np",
    )
    path = tmp_path / "drawing.py"
    path.write_text(code)

    at_home = run(load_bot_class(path), make_backtest(), code=path.read_bytes())
    confined = make_backtest()

    assert tried(code, confined).verdict == Verdict.OK
    assert confined.desk.fills == at_home.desk.fills
    assert min(confined.answered["BUY"], confined.answered["SELL"]) > 20
