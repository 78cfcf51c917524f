import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

import bot_sdk.examples
from bot_sdk import Action
from bot_sdk.bot import Snapshot
from bot_sdk.model_files import ModelFile
from bot_sdk.process.preloads import needs
from bot_sdk.process.questions import Interview
from execution.sandbox import AccountNeeded, Verdict, run
from execution.sandbox.bubblewrap import Bubblewrap
from execution.sandbox.choice import ENGINES
from execution.sandbox.confined import Cause
from execution.sandbox.engine import ALL_LAYERS, Engine
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import run_in
from tests.execution.sandbox.jobs import (
    ROOMY,
    children_in,
    make_bot,
    make_frame,
    make_job,
    make_limits,
    make_sleeper,
    soon,
)

SPIN = make_bot("while True: pass")
SLEEP = make_bot("import time; time.sleep(1000)")


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def nursery(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    engine: Engine = request.param
    nursery = Nursery(engine, engine.layers())
    yield nursery
    nursery.close()


def has_ended(process: Path) -> bool:
    """Whether it is gone, or dead and its new parent has not noticed yet."""
    try:
        return "State:\tZ" in (process / "status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize(("rsi", "wish"), [(25.0, "BUY"), (50.0, "HOLD"), (75.0, "SELL")])
def test_the_guides_bot_decides_by_the_rsi(rsi: float, wish: str) -> None:
    code = Path(bot_sdk.examples.__path__[0], "rsi_bot.py").read_text()
    frame = make_frame([10.0, 12.0], rsi=[50.0, rsi])

    result = run(make_job(code, frame=frame), ROOMY)

    assert result.verdict == Verdict.OK
    assert result.action is not None
    assert (result.action.action, result.action.value) == (wish, 12.0)
    assert f"{rsi:.2f}" in result.action.reason


def test_a_bot_sees_what_the_job_holds_and_nothing_as_api_keys() -> None:
    code = """
        from bot_sdk import Action, CustomBot

        class Curious(CustomBot):
            def __init__(self, config, api_keys):
                super().__init__(config, api_keys)
                self.keys = dict(api_keys)

            def execute_algorithm(self, data, timeframe, subscription_config):
                seen = [self.keys, self.config, timeframe, subscription_config, list(data.columns), len(data)]
                asked = [self.get_current_price(), self.get_balance("USDT"), self.get_account_info()]
                return Action("SELL", data["close"].iloc[0], repr(seen + asked))
    """

    result = run(make_job(code, config={"length": 14}, timeframe="5m"), ROOMY)

    seen = [
        {},
        {"length": 14},
        "5m",
        {"trading_pair": "BTC/USDT"},
        ["close"],
        3,
        12.5,
        900.0,
        {"equity": 1000.0},
    ]
    assert result.action == Action("SELL", 10.0, repr(seen))


def test_bots_libraries_are_there() -> None:
    code = make_bot("""
        import numpy, pandas, pandas_ta, scipy, sklearn.linear_model, talib
        model = sklearn.linear_model.LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0])
        print(round(model.predict([[3.0]])[0], 6), pandas_ta.sma(data["close"], length=3).iloc[-1])
    """)

    result = run(make_job(code), ROOMY)

    assert (result.verdict, result.log) == (Verdict.OK, "6.0 11.0")


def test_a_bot_may_use_threads() -> None:
    code = make_bot("""
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            print(sum(pool.map(abs, [-1, -2, -3])))
    """)

    result = run(make_job(code), ROOMY)

    assert (result.verdict, result.log) == (Verdict.OK, "6")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (make_bot("1 / 0"), "ZeroDivisionError: division by zero (bot.py, line 5)"),
        (make_bot('data["rsi"]'), "KeyError: 'rsi' (bot.py, line 5)"),
        (make_bot('raise SystemExit("bye")'), "SystemExit: bye (bot.py, line 5)"),
        (make_bot("raise RuntimeError"), "RuntimeError (bot.py, line 5)"),
        ("import ccxt", "ModuleNotFoundError: No module named 'ccxt' (bot.py, line 1)"),
        ("import django", "ModuleNotFoundError: No module named 'django' (bot.py, line 1)"),
        ("x = 1\nclass (:", "SyntaxError: invalid syntax (bot.py, line 2)"),
        ("x = '\udc80'", "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xed in position 5"),
        ("x = 1", "No bot found: define one class that inherits from CustomBot."),
        (
            "from bot_sdk import CustomBot\nclass A(CustomBot): pass\nclass B(CustomBot): pass",
            "Found 2 bots (A, B): keep one class that inherits from CustomBot.",
        ),
    ],
)
def test_a_bot_that_cannot_run_fails_with_its_reason_and_line(code: str, message: str) -> None:
    result = run(make_job(code), ROOMY)

    assert result.verdict == Verdict.FAILED
    assert result.message.startswith(message)
    assert result.action is None


@pytest.mark.parametrize(
    ("algorithm", "verdict", "message"),
    [
        ("bytearray(1 << 30)", Verdict.OUT_OF_MEMORY, "The bot asked for more memory than it may use."),
        (
            'open("/bot.txt", "w")',
            Verdict.FORBIDDEN,
            "PermissionError: [Errno 1] Operation not permitted: '/bot.txt'",
        ),
        ("import os; os.fork()", Verdict.FORBIDDEN, "PermissionError: [Errno 1] A bot is one process"),
        (
            "import os; os._exit(7)",
            Verdict.CRASHED,
            "The bot's process ended without an answer, with status 7.",
        ),
        ("import ctypes; ctypes.string_at(0)", Verdict.CRASHED, "The bot's process was ended by SIGSEGV."),
        ("return 5", Verdict.FAILED, "execute_algorithm returned int, expected an Action"),
    ],
)
def test_each_way_to_fail_has_its_verdict(algorithm: str, verdict: Verdict, message: str) -> None:
    result = run(make_job(make_bot(algorithm)), ROOMY)

    assert result.verdict == verdict
    assert result.message.startswith(message)
    assert result.action is None


NO_ANSWER = "The bot gave no answer within 1 seconds."
NO_TIME = "The bot used up its 1 seconds of CPU time."


@pytest.mark.parametrize(
    ("code", "messages"),
    [(SLEEP, {NO_ANSWER}), (SPIN, {NO_ANSWER, NO_TIME})],  # one that spins ends with both at once
)
def test_a_bot_without_an_answer_is_ended_at_its_time(code: str, messages: set[str]) -> None:
    result = run(make_job(code), make_limits(seconds=1))

    assert result.verdict == Verdict.TIMED_OUT
    assert result.message in messages
    assert 0.98 <= result.seconds < 6  # the kernel rounds the CPU time


def test_cpu_time_is_limited_below_the_wall_clock() -> None:
    result = run(make_job(SPIN), make_limits(seconds=100, cpu_percent=1))

    assert result.verdict == Verdict.TIMED_OUT
    assert result.message == NO_TIME
    assert result.seconds < 90


@pytest.mark.parametrize(
    ("megabytes", "verdict"), [(32, Verdict.OK), (96, Verdict.OUT_OF_MEMORY), (4096, Verdict.OUT_OF_MEMORY)]
)
def test_memory_is_limited_beside_what_the_interpreter_needs(megabytes: int, verdict: Verdict) -> None:
    code = make_bot(f"kept = bytearray({megabytes} << 20)")

    result = run(make_job(code), make_limits(memory_mb=64))

    assert result.verdict == verdict


def test_a_run_is_measured() -> None:
    code = make_bot("""
        import time
        kept = bytes(bytearray(b"x") * (100 << 20))
        began = time.process_time()
        while time.process_time() < began + 0.5: pass
    """)

    result = run(make_job(code), ROOMY)

    assert result.verdict == Verdict.OK
    assert 0.5 <= result.seconds < 30
    assert 0.4 <= result.cpu_seconds < 5
    assert 100 < result.peak_memory_mb < 600


def test_a_bot_that_prints_10_megabytes_finishes_with_a_cut_log() -> None:
    code = make_bot('for _ in range(1000): print("x" * 10_000)')

    result = run(make_job(code), ROOMY)

    assert (result.verdict, result.action) == (Verdict.OK, Action("HOLD", 12.0, "held"))
    assert result.log.endswith("\n[cut at 64 KB]")
    assert len(result.log) < 66_000


def test_the_log_has_both_streams_without_control_characters() -> None:
    code = make_bot(r"""
        import sys
        print("first\x00\x1b[2J\u202e")
        print("second", file=sys.stderr)
    """)

    result = run(make_job(code), ROOMY)

    assert result.log == "first  [2J \nsecond"


def test_the_log_of_a_crash_is_kept() -> None:
    result = run(make_job(make_bot('print("so far", flush=True); import os; os._exit(1)')), ROOMY)

    assert (result.verdict, result.log) == (Verdict.CRASHED, "so far")


def test_runs_in_threads_each_get_their_own_answer() -> None:
    code = make_bot('return Action("BUY", self.config["price"], "mine")')
    prices = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda price: run(make_job(code, config={"price": price}), ROOMY), prices))

    assert [result.action.value for result in results if result.action] == prices


def test_nothing_of_a_run_is_left_when_it_is_over(nursery: Nursery) -> None:
    limits = make_limits(seconds=0.2)
    with nursery.zygote(()) as zygote, zygote.run(Interview(make_job(SLEEP)), limits) as confined:
        process = Path(f"/proc/{confined.process.pid}")
        assert process.exists()
        ending = confined.follow()

        assert ending.exit_code == -signal.SIGKILL
        assert not process.exists()


@pytest.mark.parametrize(("bot", "priority"), [(SPIN, 19), (SLEEP, 0)], ids=["computes", "waits"])
def test_a_long_run_yields_to_others_once_it_has_used_the_processor(
    nursery: Nursery, bot: str, priority: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.sandbox.confined._SHORT_SECONDS", 0.1)  # one that waits has begun by then
    limits = make_limits(seconds=3)
    with (
        ThreadPoolExecutor(1) as pool,
        nursery.zygote(()) as zygote,
        zygote.run(Interview(make_job(bot)), limits) as confined,
    ):
        pid = confined.process.pid
        ending = pool.submit(confined.follow)
        seen = {os.getpriority(os.PRIO_PROCESS, pid)}
        while not ending.done():
            with contextlib.suppress(ProcessLookupError):
                seen.add(os.getpriority(os.PRIO_PROCESS, pid))
            time.sleep(0.01)

        # between sessions it may mean nothing
        assert os.getsid(zygote.pid) == os.getsid(0)
    assert seen == {0, priority}


def test_a_suspect_yields_to_others_from_the_start(nursery: Nursery) -> None:
    job = make_job(make_bot("import os; print(os.getpriority(os.PRIO_PROCESS, 0))"))
    with nursery.zygote(()) as zygote, zygote.run(Interview(job), make_limits(is_suspect=True)) as confined:
        pid = confined.process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        ending = confined.follow()

    assert ending.log == b"19\n"


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_killed_worker_leaves_neither_zygote_nor_bot_behind(engine: Engine) -> None:
    program = (
        "import django; django.setup()\n"
        "from execution.sandbox.choice import ENGINES\n"
        "from execution.sandbox.nursery import Nursery\n"
        "from bot_sdk.process.questions import Interview\n"
        "from tests.execution.sandbox.jobs import children_in, children_of, make_job, soon, ROOMY\n"
        "from tests.execution.sandbox.test_sandbox_run import SLEEP\n"
        f"engine = ENGINES[{ENGINES.index(engine)}]\n"
        "nursery = Nursery(engine, engine.layers())\n"
        "with nursery.zygote(()) as zygote:\n"
        "    waiting = children_in(nursery, zygote)\n"
        "    with zygote.run(Interview(make_job(SLEEP)), ROOMY) as confined:\n"
        "        assert confined.process.pid in waiting\n"
        "        assert soon(lambda: len(children_of(zygote.pid)) > len(waiting))\n"
        "        print(zygote.pid, *children_of(zygote.pid), flush=True)\n"
        "        confined.follow()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        left = [Path(f"/proc/{pid.decode()}") for pid in worker.stdout.readline().split()]
        assert len(left) >= 3  # zygote, run and the next run's process
        assert all(process.exists() for process in left)
        worker.kill()

    assert soon(lambda: all(map(has_ended, left)))


def test_a_process_that_waits_beforehand_serves_one_run_with_that_runs_limits(nursery: Nursery) -> None:
    served = []
    with nursery.zygote(()) as zygote:
        for cpu_seconds in (7, 8):
            waiting = children_in(nursery, zygote)
            limits = make_limits(seconds=cpu_seconds)
            with zygote.run(Interview(make_job(make_bot("pass"))), limits) as confined:
                assert confined.process.pid in waiting
                kernels = Path(f"/proc/{confined.process.pid}/limits").read_text()
                assert re.search(rf"Max cpu time +{cpu_seconds} +{cpu_seconds} ", kernels)
                assert confined.follow().answers[0].action is not None
                assert confined.process.is_gone(10)
            served.append(confined.process.pid)

    assert len(set(served)) == 2


def test_a_process_that_waited_has_no_other_bot_in_it(nursery: Nursery) -> None:
    job = make_job(make_bot("print([bot.__name__ for bot in CustomBot.__subclasses__()])"))
    with nursery.zygote(()) as zygote:
        waiting = children_in(nursery, zygote)
        with zygote.run(Interview(job), ROOMY) as confined:
            assert confined.process.pid in waiting
            ending = confined.follow()

    assert ending.log == b"['OneBot']\n"


def test_a_process_that_was_killed_while_it_waited_is_replaced(nursery: Nursery) -> None:
    with nursery.zygote(()) as zygote:
        waiting = max(children_in(nursery, zygote))
        os.kill(waiting, signal.SIGKILL)

        assert soon(lambda: waiting not in children_in(nursery, zygote))
        result = run_in(nursery, make_job(make_bot("pass")), ROOMY)

        assert (result.verdict, zygote.is_alive(), zygote.runs) == (Verdict.OK, True, 1)


@pytest.mark.parametrize(("bot", "is_awaited"), [("pass", False), ("self.hoard = b'x' * (64 << 20)", True)])
def test_a_run_that_has_answered_ends_and_a_large_one_is_waited_for(
    nursery: Nursery, bot: str, is_awaited: bool
) -> None:
    with nursery.zygote(()) as zygote, zygote.run(Interview(make_job(make_bot(bot))), ROOMY) as confined:
        process = Path(f"/proc/{confined.process.pid}")
        ending = confined.follow()

        assert not is_awaited or not process.exists()
        assert soon(lambda: has_ended(process))
    assert ending.exit_code == -signal.SIGKILL
    assert ending.peak_memory_mb > 30


def test_a_process_that_waits_ends_with_its_zygote(nursery: Nursery) -> None:
    with nursery.zygote(()) as zygote:
        waiting = [Path(f"/proc/{pid}") for pid in children_in(nursery, zygote)]

        os.kill(zygote.pid, signal.SIGKILL)

        assert soon(lambda: all(map(has_ended, waiting)))


def test_many_at_once_are_served_whoever_waits(nursery: Nursery) -> None:
    code = make_bot('return Action("BUY", self.config["price"], "mine")')
    prices = [float(number) for number in range(1, 41)]

    with nursery.zygote(()) as zygote, ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(lambda price: run_in(nursery, make_job(code, config={"price": price}), ROOMY), prices)
        )

        assert [result.action.value for result in results if result.action] == prices
        assert len(children_in(nursery, zygote)) <= 2


def test_a_zygote_that_died_is_replaced(nursery: Nursery) -> None:
    with nursery.zygote(()) as first:
        os.kill(first.pid, signal.SIGKILL)

        result = run_in(nursery, make_job(make_bot("pass")), ROOMY)

    assert result.verdict == Verdict.OK


def test_when_its_zygote_dies_a_run_is_unavailable(nursery: Nursery) -> None:
    with nursery.zygote(()) as zygote:
        sleeper = make_sleeper(lambda: os.kill(zygote.pid, signal.SIGKILL))

        result = run_in(nursery, sleeper, ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE


def test_an_old_zygote_goes_when_its_last_run_is_over(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nursery.zygote(()) as old:
        monkeypatch.setattr("execution.sandbox.nursery._MOST_RUNS", -1)
        with nursery.zygote(()) as new:
            assert (old.pid != new.pid, old.is_alive(), new.is_alive()) == (True, True, True)

    assert soon(lambda: not old.is_alive())
    assert new.is_alive()


def test_only_so_many_zygotes_are_kept(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.sandbox.nursery._MOST_ZYGOTES", 1)
    with nursery.zygote(()) as plain:
        pass

    with nursery.zygote(("talib",)) as other:
        assert soon(lambda: not plain.is_alive())
        assert other.is_alive()


@pytest.mark.parametrize(
    ("code", "libraries"),
    [
        ("import numpy", ()),
        ("import sklearn.linear_model\nfrom talib import RSI", ("sklearn", "talib")),
        ("def f():\n    import scipy", ("scipy",)),
        ("important = 'sklearn'", ()),
    ],
)
def test_a_zygote_has_loaded_what_the_code_imports(code: str, libraries: tuple[str, ...]) -> None:
    assert needs(code, ()) == libraries


def test_a_bot_is_answered_from_the_snapshot_and_its_questions_are_kept() -> None:
    code = make_bot("""
        self.get_balance("USDT")
        self.get_current_price()
        return Action("HOLD", self.get_candles(2)["close"].sum(), str(self.get_position()))
    """)
    rows = [(1_767_225_600_000, 1.0, 3.0, 1.0, 2.0, 5.0), (1_767_229_200_000, 2.0, 3.0, 2.0, 3.0, 5.0)]
    snapshot = Snapshot(12.5, {"USDT": 900.0}, {"base_amount": 0.5}, candles=lambda count: rows[-count:])

    result = run(make_job(code, snapshot=snapshot), ROOMY)

    assert result.action == Action("HOLD", 5.0, "{'base_amount': 0.5}")
    assert [(asked.question, asked.arguments) for asked in result.asked] == [
        ("balance", ("USDT",)),
        ("current_price", ()),
        ("candles", (2,)),
        ("position", ()),
    ]
    assert [asked.answer for asked in result.asked[:2]] == [900.0, 12.5]
    assert result.asked[2].answer["rows"] == 2


@pytest.mark.parametrize("question", ['get_balance("USDT")', "get_position()", "get_account_info()"])
def test_a_shared_run_is_told_nothing_about_an_account(question: str) -> None:
    code = make_bot(f"self.get_current_price(); self.{question}")

    with pytest.raises(AccountNeeded):
        run(make_job(code, is_shared=True), ROOMY)


def test_a_question_that_makes_no_sense_is_refused_in_words() -> None:
    result = run(make_job(make_bot("self.get_candles(0)")), ROOMY)

    assert result.verdict == Verdict.FAILED
    assert "whole number of candles between 1 and 1000" in result.message


def test_a_bot_asks_no_more_than_200_questions() -> None:
    result = run(make_job(make_bot("while True: self.get_current_price()")), ROOMY)

    assert (result.verdict, result.message) == (Verdict.BAD_REPLY, "The bot asked more than 200 questions.")


def test_the_same_inputs_draw_the_same_random_numbers() -> None:
    code = make_bot("import random, numpy; print(random.random(), numpy.random.random())")

    first, second, other = (
        run(make_job(code, config=config), ROOMY).log for config in ({}, {}, {"length": 3})
    )

    assert first == second != other


def test_a_model_is_opened_inside() -> None:
    code = make_bot('print(self.config["models"]["CONFIG"]["threshold"])')
    model = ModelFile("CONFIG", "config.json", b'{"threshold": 0.7}')

    result = run(make_job(code, models=(model,)), ROOMY)

    assert (result.verdict, result.log) == (Verdict.OK, "0.7")


def test_too_many_threads_are_forbidden() -> None:
    code = make_bot("""
        import threading, time
        threading.stack_size(64 << 10)
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)
    """)

    result = run(make_job(code), make_limits(seconds=20))

    assert result.verdict in (Verdict.FAILED, Verdict.FORBIDDEN)
    assert "thread" in result.message


def test_without_the_bots_libraries_a_run_is_unavailable(
    nursery: Nursery, settings: Settings, tmp_path: Path
) -> None:
    settings.BOT_RUNTIME_DIR = tmp_path

    result = run_in(nursery, make_job(SPIN), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert str(tmp_path) in result.message
    assert "make run" in result.message


@pytest.mark.skipif(
    os.geteuid() != 0, reason="started by a normal user, bots keep that user's rights to read"
)
def test_libraries_that_only_root_may_read_are_told(
    nursery: Nursery, settings: Settings, tmp_path: Path
) -> None:
    python = tmp_path / "python" / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (python, tmp_path / "site-packages" / "pandas"):
        path.mkdir(parents=True)
    (tmp_path / "site-packages").chmod(0o700)
    settings.BOT_RUNTIME_DIR = tmp_path

    result = run_in(nursery, make_job(SPIN), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert "run as a user of their own who may not" in result.message


def test_when_bubblewrap_fails_a_run_is_unavailable_with_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "bwrap"
    failing.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    result = run_in(Nursery(Bubblewrap(), ALL_LAYERS), make_job(SPIN), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert "the zygote did not start: bwrap: setting up uid map: Permission denied." in result.message


@pytest.mark.parametrize("folder", ["missing", "ordinary"])
def test_a_control_group_that_does_not_serve_stops_every_run(
    nursery: Nursery, settings: Settings, tmp_path: Path, folder: str
) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.mkdir()
    settings.BOT_CGROUP = str(tmp_path / folder)

    result = run_in(nursery, make_job(make_bot("pass")), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert "BOT_CGROUP: expected a folder of cgroup v2" in result.message
    assert not list(ordinary.iterdir())


def test_a_run_is_held_by_its_control_group(nursery: Nursery, settings: Settings) -> None:
    delegated = Path(os.environ.get("TEST_CGROUP", "/sys/fs/cgroup/bots"))
    controllers = delegated / "cgroup.subtree_control"
    if not controllers.exists() or "memory" not in controllers.read_text():
        pytest.skip(f"no cgroup v2 is delegated in {delegated}; TEST_CGROUP names another folder")
    settings.BOT_CGROUP = str(delegated)
    left_by_a_killed_worker = Path(tempfile.mkdtemp(prefix="run-", dir=delegated))
    hoard = make_job(make_bot("hoard = b'x' * (64 << 20)"))

    with nursery.zygote(()) as zygote, zygote.run(Interview(hoard), ROOMY) as confined:
        pid = confined.process.pid
        group = delegated / Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("/")[2]
        assert (group / "cgroup.procs").read_text() == f"{pid}\n"
        assert int((group / "memory.max").read_text()) == (ROOMY.memory_mb + 64) << 20
        assert (group / "pids.max").read_text() == "32\n"
        assert (group / "cpu.max").read_text() == "100000 100000\n"
        (group / "memory.max").write_text(str(32 << 20))
        ending = confined.follow()

    # Which no limit of its process comes near to, and it is no doing of the machine's.
    assert (ending.cause, ending.exit_code) == (Cause.MEMORY, -signal.SIGKILL)
    assert not group.exists()
    assert not left_by_a_killed_worker.exists()
