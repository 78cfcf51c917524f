"""A version at the gate: real code in the real sandbox, step by step, to the version's next state."""

import os
import signal
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

import bot_sdk.examples
from accounts.models import User
from bot_sdk import checks, sample_markets, trials
from bot_sdk import gate as sdk_gate
from bot_sdk.checks import CostLimits
from bot_sdk.gate_steps import GATE_STEPS
from bots import drafting, storage
from bots.models import Artifact, Bot, BotVersion, GateRun, GateStep
from bots.publishing import publish_version
from exchanges.markets import refresh_markets
from execution import gate, gate_steps, tasks
from execution.models import CodeShape
from execution.sandbox import choice
from marketplace import demo
from tests.execution.sandbox.jobs import soon
from tests.factories import make_bot, make_category

EXAMPLES = Path(bot_sdk.examples.__path__[0])

GOOD = """
from bot_sdk import Action, CustomBot, Parameter


class Follower(CustomBot):
    parameters = [Parameter("span", "integer", 5, minimum=2, maximum=20)]
    warm_up = 25
    risk_defaults = {"stop_loss_percent": 4}

    def execute_algorithm(self, data, timeframe, subscription_config=None):
        price = data["close"].iloc[-1]
        average = data["close"].tail(self.config["span"]).mean()
        if price > average * 1.001:
            return Action("BUY", price, f"above {average:.2f}")
        return Action("SELL" if price < average else "HOLD", price, "not above")
"""


@pytest.fixture(autouse=True)
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask as little as shows what is asked; the steps are the same."""
    monkeypatch.setattr(sample_markets, "ASKED", 2)
    monkeypatch.setattr(sample_markets, "ASKED_OF_REFERENCE", 25)
    monkeypatch.setattr(gate_steps, "REFERENCE_PERIOD", timedelta(days=1))
    for module in (checks, trials):
        monkeypatch.setattr(module, "SAMPLES", 5)


def make_code(body: str, *, before: str = "", declared: str = "warm_up = 20") -> str:
    """Return a bot whose `execute_algorithm` has this body."""
    head = "from bot_sdk import Action, CustomBot\n" + textwrap.dedent(before)
    method = "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
    lines = textwrap.indent(textwrap.dedent(body), " " * 8)
    return f"{head}\nclass Tried(CustomBot):\n    {declared}\n\n{method}{lines}\n"


def submitted(developer: User, code: str | bytes = GOOD, **models: bytes) -> GateRun:
    """The gate of a first version with this code, and model files by their names."""
    name = f"Try {Bot.objects.count()}"
    facts = {"tagline": "Tries.", "description": "Tries it.", "category": make_category()}
    version = drafting.start_version(
        bot=drafting.create_bot(developer=developer, name=name, **facts), number="v1.0.0"
    )
    storage.save_code(version, code.encode() if isinstance(code, str) else code)
    for filename, content in models.items():
        storage.save_model(version, Artifact.Kind.MODEL, filename.replace("_", "."), content)
    drafting.submit(version=version)
    return version.gate


def ran(run: GateRun) -> GateRun:
    tasks.run_gate(run.pk)
    run.refresh_from_db()
    run.version.refresh_from_db()
    return run


def states(run: GateRun) -> dict[str, str]:
    return {step.code: step.state for step in run.steps.all()}


def step_of(run: GateRun, code: str) -> GateStep:
    return run.steps.get(code=code)


def test_a_good_bot_passes_every_step_and_waits_for_a_person(alice: User, simulated_exchange: str) -> None:
    refresh_markets("BINANCE")

    run = ran(submitted(alice))

    assert states(run) == dict.fromkeys(GATE_STEPS, "PASSED")
    assert (run.state, run.claim, run.version.state) == ("PASSED", None, "IN_REVIEW")
    assert [parameter.name for parameter in run.version.declared_parameters] == ["span"]
    assert (run.version.warm_up, run.version.risk_defaults) == (25, {"stop_loss_percent": 4.0})
    assert run.version.is_stateless
    assert "BTC/USDT on Binance 1h" in step_of(run, "reference_backtest").sentence
    assert "24 candles" in step_of(run, "reference_backtest").sentence
    assert all(step.sentence and step.seconds is not None and step.finished_at for step in run.steps.all())


SOURCES = {
    "a syntax error": (b"import math\n\ndef f(:\n", 3),
    "nothing but brackets": (b"x = " + b"(" * 10_000 + b")" * 10_000, 1),
    "a number of half a million digits": (b"x = 1\ny = " + b"9" * 200_000, 2),
    "five megabytes": (b"#" * 5_000_000, 1),
    "bytes": (bytes(range(256)) * 8, 2),
    "UTF-16": ("x = 1\n".encode("utf-16"), 1),
    "another encoding by its own word": (b"# coding: utf-7\nx = 1\n", 1),
    "lines that only Python ends": (b"x = 1 # \rimport os\r", 1),
    "tabs and spaces": (b"if 1:\n\tx = 1\n        y = 2\n", 3),
    "a byte order mark": (b"\xef\xbb\xbfx = 1\n", 1),
}


@pytest.mark.parametrize("what", SOURCES)
def test_what_is_no_source_fails_at_its_line_and_is_not_run(alice: User, what: str) -> None:
    content, line = SOURCES[what]

    run = ran(submitted(alice, content))

    assert (run.state, run.version.state) == ("FAILED", "FAILED")
    assert states(run) == {"source": "FAILED"} | dict.fromkeys(list(GATE_STEPS)[1:], "SKIPPED")
    assert step_of(run, "source").evidence[0]["line"] == line
    assert run.message == step_of(run, "source").sentence
    assert run.version.parameters == []


POLICY = {
    "nothing": ("", "No bot"),
    "no bot": ("x = 1\n", "No bot"),
    "two bots": (GOOD + GOOD.replace("Follower", "Other").partition("\n\n")[2], "one more class"),
    "a module of the machine": ("import os\n" + GOOD, "`os`"),
}


@pytest.mark.parametrize("what", POLICY)
def test_what_the_policy_refuses_fails_with_line_and_reason(alice: User, what: str) -> None:
    code, reason = POLICY[what]

    run = ran(submitted(alice, code))

    step = step_of(run, "policy")
    assert (run.version.state, step.state) == ("FAILED", "FAILED")
    assert any(reason in each["message"] and each["line"] >= 1 for each in step.evidence)
    assert states(run)["load"] == "SKIPPED"


def test_advice_does_not_stop_a_bot_and_is_kept(alice: User) -> None:
    code = make_code("time.time()\nreturn Action('HOLD', 1.0)", before="import time")

    found = gate_steps.take("policy", candidate_of(submitted(alice, code)))

    assert (found.state, found.evidence[0]["line"]) == ("ADVICE", 7)
    assert found.evidence[0]["message"].startswith("Advice: ")


LOADING = {
    "a wait at the top": ("while True: pass", "warm_up = 20", "TIMED_OUT"),
    "an end at the top": ("raise SystemExit(3)", "warm_up = 20", "SystemExit"),
    "a crash at the top": ("X = 1 / 0", "warm_up = 20", "bot.py, line 2"),
    "a warm-up without end": ("", "warm_up = 10 ** 9", "warm_up is no whole number from 1 to 1000"),
    "a warm-up that is no number": ("", "warm_up = 'long'", "warm_up is no whole number"),
    "a limit that is none": ("", "risk_defaults = {'stop_loss_percent': -5}", "stop_loss_percent"),
    "limits that are no mapping": ("", "risk_defaults = [5]", "no mapping"),
    "parameters of another kind": ("", "parameters = ['span']", "no list of Parameter"),
    "a class that takes nothing": ("", "def __init__(*, config): pass", "__init__ cannot be called"),
}


@pytest.mark.parametrize("what", LOADING)
def test_what_does_not_load_fails_with_the_reason(
    alice: User, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, declared, reason = LOADING[what]
    if reason == "TIMED_OUT":
        monkeypatch.setattr(sdk_gate, "_LOAD_LIMITS", sdk_gate.GATE_LIMITS.__class__(1, 256, 100))
    run = submitted(alice, make_code("return Action('HOLD', 1.0)", before=before, declared=declared))

    found = gate_steps.take("load", candidate_of(run))

    assert found.state == "FAILED"
    assert reason in found.evidence[0]["came"]


def candidate_of(run: GateRun) -> gate_steps.Candidate:
    """The version as it is when its bot has loaded."""
    candidate = gate_steps.Candidate(run.version, sign=lambda: None)
    loaded = gate_steps.take("load", candidate)
    if loaded.state == "PASSED":
        loaded.keep()
    return candidate


DRAWN = make_code("return Action('HOLD', 1.0, str(time.time_ns()))", before="import time")
DIGGER = make_code(
    """
    rows = [each for each in gc.get_objects() if type(each).__name__ == "Row"]
    return Action("HOLD", 1.0, str(len(rows)))
    """,
    before="import gc",
)
LATE = make_code('return Action("BUY" if len(data) > 10 else "HOLD", 1.0)', declared="warm_up = 3")
FAILING = {
    "models": (make_code("return Action('HOLD', 1.0)"), "onnx"),
    "dry_runs": (make_code("return Action('HOLD', float(int(data['rsi'].iloc[-1])))"), "ValueError"),
    "determinism": (DRAWN, "HOLD at 1.0: "),
    "look_ahead": (DIGGER, "HOLD at 1.0: "),
    "warm_up": (LATE, " at 1.0"),
    "cost": (make_code("sum(range(100_000))\nreturn Action('HOLD', 1.0)"), "CPU seconds"),
    "reference_backtest": (
        make_code("return Action('HOLD', 1.0) if data.index[-1].hour != 30 - 15 else None"),
        "returned NoneType",
    ),
}


@pytest.mark.parametrize("code", FAILING)
def test_each_step_fails_for_the_bot_made_for_it_and_shows_where(
    alice: User, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_steps, "GATE_COST", CostLimits(cpu_seconds=0.001, peak_memory_mb=1000))
    source, came = FAILING[code]
    run = submitted(alice, source, **({"model_onnx": b"no model"} if code == "models" else {}))

    found = gate_steps.take(code, candidate_of(run))

    assert (found.state, bool(found.sentence)) == ("FAILED", True)
    shown = found.evidence[0]
    assert came in shown["came"]
    assert ("opened_at" in shown) == (code != "models")


def test_a_bot_that_keeps_something_is_let_through_with_advice(alice: User) -> None:
    code = make_code("SEEN.append(1)\nreturn Action('HOLD', 1.0, str(len(SEEN)))", before="SEEN = []")
    run = submitted(alice, code)

    found = gate_steps.take("statelessness", candidate_of(run))
    found.keep()

    run.version.refresh_from_db()
    assert (found.state, run.version.is_stateless) == ("ADVICE", False)


def test_a_hostile_model_is_opened_inside_only_and_has_no_effect(alice: User, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    hostile = f"cos\nsystem\n(S'touch {mark}'\ntR.".encode()
    run = submitted(alice, make_code("return Action('HOLD', 1.0)"), scaler_pkl=hostile)

    found = gate_steps.take("models", candidate_of(run))

    assert found.state == "FAILED"
    assert not mark.exists()


def test_a_renamed_copy_of_somebody_elses_bot_fails_and_ones_own_next_version_does_not(
    alice: User, bob: User
) -> None:
    bot = make_bot(bob, code=GOOD + EXTRA)
    copy = (GOOD + EXTRA).replace("Follower", "Mine").replace("average", "m").replace("1.001", "1.5")

    theirs, own = submitted(alice, copy), submitted(bob, copy)

    found = gate_steps.take("similarity", candidate_of(theirs))
    assert found.state == "FAILED"
    assert bot.name in found.sentence
    assert gate_steps.take("similarity", candidate_of(own)).state == "PASSED"
    assert CodeShape.objects.count() == 3


def test_a_published_file_that_was_changed_or_lost_holds_up_no_other_developers_version(
    alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    changed, lost = (make_bot(bob).versions.get() for _ in range(2))
    stored_code(changed).write_bytes(b"x = 1")
    stored_code(lost).unlink()

    found = gate_steps.take("similarity", candidate_of(submitted(alice)))

    assert found.state == "PASSED"
    assert [str(each) in caplog.text for each in (changed, lost)] == [True, True]


def stored_code(version: BotVersion) -> Path:
    code = version.artifacts.get()
    return Path(storages["artifacts"].path(code.key), code.object_version)


EXTRA = """
    def spread(self, data):
        body = (data["close"] - data["open"]).abs()
        wick = data["high"] - data["low"] - body
        quiet = body.rolling(5).std() < wick.ewm(span=9).mean()
        return [each for each in quiet.tail(10) if each] or None
"""


def test_the_sdks_sample_is_advice_and_says_which(alice: User, bob: User) -> None:
    sample = (EXAMPLES / "bollinger_reversion.py").read_text()
    make_bot(bob, code=sample)

    found = gate_steps.take("similarity", candidate_of(submitted(alice, sample)))

    assert found.state == "ADVICE"
    assert "bollinger_reversion.py" in found.sentence


def test_with_no_exchange_the_sample_market_does_for_the_backtest(alice: User) -> None:
    found = gate_steps.take("reference_backtest", candidate_of(submitted(alice)))

    assert found.state == "PASSED"
    assert "BINANCE did not answer" in found.sentence


def test_a_bot_that_is_slow_everywhere_fails_for_it(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_steps, "MOST_BOT_SECONDS", 0.05)

    found = gate_steps.take("dry_runs", candidate_of(submitted(alice)))

    assert (found.state, "too slow" in found.sentence) == ("FAILED", True)


# --- workers that die, versions that are taken back, and what fails on our side


def test_a_message_that_comes_twice_or_too_late_does_nothing(alice: User) -> None:
    run = ran(submitted(alice, b"x ="))
    finished_at = run.finished_at

    assert ran(run).finished_at == finished_at
    assert run.attempts == 1


def test_storage_that_is_down_is_no_verdict_and_the_checks_go_on_later(
    alice: User, published: list[tuple[str, list[Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    run = submitted(alice, b"x =")
    path = Path(storages["artifacts"].path(run.version.artifacts.get().key))
    path.rename(path.with_suffix(".away"))

    ran(run)

    assert (run.state, run.message, run.claim, run.attempts) == ("WAITING", gate.LATER, None, 0)
    assert run.version.state == "CHECKING"
    assert set(states(run).values()) == {"WAITING"}
    assert "gate-stands-still" in caplog.text

    path.with_suffix(".away").rename(path)
    assert ran(run).state == "FAILED"
    assert states(run)["source"] == "FAILED"


def test_bots_that_cannot_be_confined_are_no_verdict(
    alice: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BOT_SANDBOX_ENGINE = "none"
    monkeypatch.setattr(choice, "_nursery", None)

    run = ran(submitted(alice))

    assert (run.state, run.version.state) == ("WAITING", "CHECKING")


def test_a_gate_that_waits_is_told_of_again(alice: User, published: list[tuple[str, list[Any]]]) -> None:
    run = submitted(alice)
    published.clear()

    gate.sweep(run.created_at + timedelta(seconds=30))
    assert published == []
    gate.sweep(run.created_at + timedelta(minutes=2))
    gate.sweep(run.created_at + timedelta(minutes=3))
    assert published == [(drafting.GATE_TASK, [run.pk])]


def test_the_operator_is_told_when_no_worker_takes_gates(
    alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    run = submitted(alice)

    gate.sweep(run.created_at + timedelta(minutes=29))
    assert "gates" not in caplog.text
    gate.sweep(run.created_at + timedelta(minutes=31))

    assert "1 wait for checks. Does a worker run for the queue gates?" in caplog.text


def test_a_version_that_costs_every_worker_its_life_is_left_to_the_operator(
    alice: User, published: list[tuple[str, list[Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    run = submitted(alice)
    later = timezone.now()
    for attempt in range(1, gate.MOST_ATTEMPTS + 1):
        GateRun.objects.filter(pk=run.pk).update(state="RUNNING", seen_at=later, attempts=attempt)
        later += gate.SILENCE + timedelta(minutes=1)
        gate.sweep(later)
    published.clear()

    gate.sweep(later + timedelta(hours=1))

    run.refresh_from_db()
    assert (run.state, run.message, run.version.state) == ("WAITING", gate.STANDS, "CHECKING")
    assert published == []
    assert "workers were lost 3 times" in caplog.text
    assert ran(run).steps.count() == 0

    call_command("check_again")

    assert published == [(drafting.GATE_TASK, [run.pk])]
    run.refresh_from_db()
    assert run.attempts == 0


def killed_at(run: GateRun, code: str, *, is_done: bool) -> None:
    """Have a worker begin that dies at this step: before it, or when it has found and not yet written."""
    connections.close_all()  # no child speaks on a connection of its parent
    child = os.fork()
    if not child:
        take = gate_steps.take

        def die_at(step: str, candidate: gate_steps.Candidate) -> gate_steps.Found:
            if step == code and is_done:
                return replace(take(step, candidate), keep=die)
            return die() if step == code else take(step, candidate)

        setattr(gate, "take", die_at)  # noqa: B010
        try:
            gate.run(run.pk)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.django_db(transaction=True)
def test_after_a_worker_that_was_killed_at_any_step_the_next_goes_on_and_does_nothing_twice(
    alice: User,
) -> None:
    run = submitted(alice)
    done: dict[str, Any] = {}

    for number, code in enumerate(GATE_STEPS):
        killed_at(run, code, is_done=number % 2 == 1)
        is_stateless = number > list(GATE_STEPS).index("statelessness")
        BotVersion.objects.get(pk=run.version_id, state="CHECKING", is_stateless=is_stateless)
        gate.sweep(timezone.now() + gate.SILENCE + timedelta(minutes=1))
        GateRun.objects.filter(pk=run.pk, state="WAITING", claim=None).update(attempts=0)
        found = {step.code: step.finished_at for step in run.steps.exclude(finished_at=None)}
        assert list(found) == list(GATE_STEPS)[:number]
        assert found.items() >= done.items()
        done = found
    ran(run)

    assert (run.state, run.version.state, run.version.warm_up) == ("PASSED", "IN_REVIEW", 25)
    assert set(states(run).values()) == {"PASSED"}
    assert {step.code: step.finished_at for step in run.steps.all()}.items() >= done.items()


SLOW = make_code("time.sleep(0.2)\nreturn Action('HOLD', 1.0)", before="import time")


@contextmanager
def at_the_dry_runs(run: GateRun) -> Iterator[None]:
    """Have a worker check the version, and do something while the bot is asked."""
    with ThreadPoolExecutor() as pool:
        checking = pool.submit(checked_and_closed, run)
        while not run.steps.filter(code="dry_runs", state="RUNNING").exists():
            assert not checking.done()
            time.sleep(0.02)
        yield
        checking.result(timeout=300)


def kill_zygotes() -> None:
    assert choice._nursery is not None
    for kept in list(choice._nursery._zygotes.values()):
        if kept._zygote is not None and kept._zygote.is_alive():
            os.kill(kept._zygote.pid, signal.SIGKILL)


@pytest.mark.django_db(transaction=True)
def test_a_bots_process_that_is_killed_from_outside_is_no_verdict_and_counts(alice: User) -> None:
    run = submitted(alice, SLOW)

    with at_the_dry_runs(run):
        is_running = GateRun.objects.filter(pk=run.pk, state="RUNNING").exists
        while is_running():  # again, where none was at work between two runs
            kill_zygotes()
            soon(lambda: not is_running(), seconds=2)

    run.refresh_from_db()
    assert (run.state, run.attempts, run.version.state) == ("WAITING", 1, "CHECKING")
    assert states(run)["load"] == "PASSED"
    assert "WAITING" in states(run).values()


@pytest.mark.django_db(transaction=True)
def test_a_version_that_is_withdrawn_meanwhile_is_left_alone(alice: User) -> None:
    run = submitted(alice, SLOW)

    with at_the_dry_runs(run):
        drafting.withdraw(version=run.version)

    run.refresh_from_db()
    run.version.refresh_from_db()
    assert (run.state, run.version.state, run.claim) == ("CANCELED", "WITHDRAWN", None)
    assert states(run)["load"] == "PASSED"
    assert states(run)["dry_runs"] == "SKIPPED"


def checked_and_closed(run: GateRun) -> None:
    tasks.run_gate(run.pk)
    connections.close_all()


@pytest.mark.parametrize("name", [bot.module for bot in demo.BOTS])
def test_the_demos_bots_pass_and_are_known_for_samples(alice: User, name: str) -> None:
    code, declared = (EXAMPLES / f"{name}.py").read_text(), next(b for b in demo.BOTS if b.module == name)
    is_brought = name == "rsi_bot"  # the guide's own text, which declares nothing
    run = ran(brought(alice, code, declared) if is_brought else submitted(alice, code))

    assert states(run) == dict.fromkeys(GATE_STEPS, "PASSED") | {"similarity": "ADVICE"}
    assert (run.state, run.version.state) == ("PASSED", "PUBLISHED" if is_brought else "IN_REVIEW")
    assert run.version.warm_up == declared.warm_up
    assert run.version.declared_parameters == list(declared.parameters)


def brought(developer: User, code: str, declared: demo.DemoBot) -> GateRun:
    """The gate of a version that the operator has published as the demo's are."""
    version = publish_version(
        bot=make_bot(developer),
        number="v9.0.0",
        code=code,
        parameters=declared.parameters,
        warm_up=declared.warm_up,
    )
    return drafting.have_checked(version=version)


def test_what_is_published_already_stays_so_when_it_fails(alice: User, client: Client) -> None:
    run = ran(brought(alice, "import os", demo.BOTS[0]))

    assert (run.state, run.version.state) == ("FAILED", "PUBLISHED")
    assert drafting.have_checked(version=run.version) == run  # once, whatever came of it
    page = client.get(run.version.bot.get_absolute_url()).content.decode()
    assert "It failed our automatic checks." in page
    assert "Brought by the operator" in page
