import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

import bot_sdk.examples
from bot_sdk import Action
from execution.sandbox import Verdict, run
from execution.sandbox.jail import open_jail
from tests.execution.sandbox.jobs import ROOMY, make_bot, make_frame, make_job, make_limits

SPIN = make_bot("while True: pass")
SLEEP = make_bot("import time; time.sleep(1000)")


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
        ('open("/bot.txt", "w")', Verdict.FORBIDDEN, "OSError: [Errno 30] Read-only file system: '/bot.txt'"),
        ("import os; os.fork()", Verdict.FORBIDDEN, "PermissionError: [Errno 1] Operation not permitted"),
        (
            "import os; os._exit(7)",
            Verdict.CRASHED,
            "The bot's process ended without an answer, with status 7.",
        ),
        ("import ctypes; ctypes.string_at(0)", Verdict.CRASHED, "The bot's process was ended by SIGSEGV."),
        ("return 5", Verdict.BAD_REPLY, "execute_algorithm returned int, expected an Action."),
    ],
)
def test_each_way_to_fail_has_its_verdict(algorithm: str, verdict: Verdict, message: str) -> None:
    result = run(make_job(make_bot(algorithm)), ROOMY)

    assert result.verdict == verdict
    assert result.message.startswith(message)
    assert result.action is None


@pytest.mark.parametrize("code", [SPIN, SLEEP])
def test_a_bot_without_an_answer_is_ended_at_its_time(code: str) -> None:
    result = run(make_job(code), make_limits(seconds=1))

    assert result.verdict == Verdict.TIMED_OUT
    assert result.message == "The bot gave no answer within 1 seconds."
    assert 1.0 <= result.seconds < 3.0


def test_cpu_time_is_limited_below_the_wall_clock() -> None:
    result = run(make_job(SPIN), make_limits(seconds=20, cpu_percent=5))

    assert result.verdict == Verdict.TIMED_OUT
    assert result.message == "The bot used up its 1 seconds of CPU time."
    assert result.seconds < 15


def test_catching_the_cpu_signal_gains_one_second() -> None:
    code = make_bot("""
        import signal
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True: pass
    """)

    result = run(make_job(code), make_limits(seconds=30, cpu_percent=3))

    assert result.verdict == Verdict.TIMED_OUT
    assert "CPU time" in result.message


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


def test_nothing_of_a_run_is_left_when_it_is_over() -> None:
    with open_jail(make_job(SLEEP)) as jail:
        process = Path(f"/proc/{jail.process.pid}")
        assert process.exists()
        ending = jail.run(make_limits(seconds=0.2))

    assert ending.exit_code is None
    assert not process.exists()


def test_a_killed_worker_leaves_no_bot_behind() -> None:
    program = (
        "import django; django.setup()\n"
        "from execution.sandbox.jail import open_jail\n"
        "from tests.execution.sandbox.jobs import make_job, ROOMY\n"
        "from tests.execution.sandbox.test_sandbox_run import SLEEP\n"
        "with open_jail(make_job(SLEEP)) as jail:\n"
        "    print(jail.process.pid, flush=True)\n"
        "    jail.run(ROOMY)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        bot = Path(f"/proc/{int(worker.stdout.readline())}")
        assert bot.exists()
        worker.kill()

    deadline = time.monotonic() + 10
    while bot.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not bot.exists()


def test_without_the_bots_libraries_a_run_is_unavailable(settings: Settings, tmp_path: Path) -> None:
    settings.BOT_RUNTIME_DIR = tmp_path

    result = run(make_job(SPIN), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert str(tmp_path) in result.message
    assert "make run" in result.message


@pytest.mark.skipif(
    os.geteuid() != 0, reason="started by a normal user, bots keep that user's rights to read"
)
def test_libraries_that_only_root_may_read_are_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "site-packages" / "pandas").mkdir(parents=True)
    (tmp_path / "site-packages").chmod(0o700)
    settings.BOT_RUNTIME_DIR = tmp_path

    result = run(make_job(SPIN), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert "chmod -R a+rX" in result.message


def test_when_bubblewrap_fails_a_run_is_unavailable_with_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "bwrap"
    failing.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    result = run(make_job(SPIN), ROOMY)

    assert result.verdict == Verdict.UNAVAILABLE
    assert result.message == "The jail did not start: bwrap: setting up uid map: Permission denied."
