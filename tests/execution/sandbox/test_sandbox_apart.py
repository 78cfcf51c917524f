"""Code is read for web processes in a process of its own: whatever it does to the parser, we go on."""

import sys
from pathlib import Path

import pytest

from bot_sdk.code_policy import MAX_BYTES, check
from execution.sandbox import SandboxUnavailable, apart, inspect_apart
from tests.factories import BUYING_BOT

MOST_MB = 40  # that a web process may grow by; parsed in it, the first of these takes more than 200
BOMBS = {
    "names": b"a\n" * (MAX_BYTES // 2),
    "names in a tuple": b"a," * (MAX_BYTES // 2),
    "empty tuples": b"()\n" * (MAX_BYTES // 3),
    "parts of a text": b"f'" + b"{a}" * ((MAX_BYTES - 3) // 3) + b"'",
    "parentheses": b"x = " + b"(" * 100_000 + b")" * 100_000,
    "signs": b"x = " + b"-" * 200_000 + b"1",
    "digits": b"x = " + b"9" * 200_000,
    "bytes": b"#" * (8 << 20),
}


def peak_mb() -> float:
    [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in each]
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("code", [BUYING_BOT.encode(), b"import os\nx = '\\d'\n\xff", b"", b"# a\rb\n\f"])
def test_code_that_is_read_apart_gets_the_findings_of_the_policy(code: bytes) -> None:
    assert inspect_apart(code) == check(code)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS)
def test_a_bomb_for_the_parser_is_a_finding_and_takes_none_of_our_memory(code: bytes) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # counts the peak anew
    before = peak_mb()

    found = inspect_apart(code)

    assert [each.is_refusal for each in found] == [True]
    assert peak_mb() - before < MOST_MB


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.abort()", "was ended by SIGABRT"),
        ("raise SystemExit(3)", "with status 3"),
        ("print('[')", "cannot be read"),
    ],
)
def test_a_reader_that_crashes_or_babbles_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    monkeypatch.setattr(apart, "_COMMAND", (sys.executable, "-S", "-c", program))

    [found] = inspect_apart(b"x = 1")

    assert (found.line, found.is_refusal) == (1, True)
    assert message in found.message


def test_a_reader_has_limits_and_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    program = """
import os
from bot_sdk.process import reading
reading.main()
try:
    bytearray(300 << 20)
except MemoryError:
    os._exit(4 if "SECRET_KEY" in os.environ else 3)
"""
    monkeypatch.setattr(apart, "_COMMAND", (sys.executable, "-S", "-c", program))

    [found] = inspect_apart(b"x = 1")

    assert "with status 3" in found.message


def test_a_machine_that_is_too_busy_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "PATIENCE_SECONDS", 0.0)

    with pytest.raises(SandboxUnavailable, match="Try again"):
        inspect_apart(b"x = 1")
