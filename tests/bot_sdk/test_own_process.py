"""A developer's own machine: whatever a bot does to its process, the command line hears of it and goes on."""

import os

import pytest

from bot_sdk import own_process
from bot_sdk.process.job import Limits
from bot_sdk.process.reply import Introduced

SHORT = Limits(seconds=1, memory_mb=256, cpu_percent=100)
ROOMY = Limits(seconds=60, memory_mb=256, cpu_percent=100)
BOT = """\
from bot_sdk import Action, CustomBot, Parameter


class Tried(CustomBot):
    parameters = [Parameter("length", "integer", 5, minimum=2)]

    def execute_algorithm(self, data, timeframe, subscription_config=None):
        return Action("HOLD", 1.0)
"""


@pytest.mark.parametrize(
    ("code", "limits", "said"),
    [
        (
            "import os\nos._exit(3)",
            ROOMY,
            "CRASHED: The bot's process ended without an answer, with status 3.",
        ),
        ("import sys\nsys.exit()", ROOMY, "FAILED: SystemExit (bot.py, line 2)"),
        ("while True: pass", SHORT, "TIMED_OUT: The bot gave no answer within 1 seconds."),
        ("x = b'x' * (1 << 30)", ROOMY, "OUT_OF_MEMORY: The bot asked for more memory than it may use."),
        ("import ctypes\nctypes.string_at(0)", ROOMY, "CRASHED: The bot's process was ended by SIGSEGV."),
        ("1 / 0", ROOMY, "FAILED: ZeroDivisionError: division by zero (bot.py, line 1)"),
    ],
)
def test_a_file_that_harms_its_process_is_told_in_words(code: str, limits: Limits, said: str) -> None:
    assert own_process.introduce(code, (), limits) == said


def test_a_bot_presents_itself_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    before = dict(os.environ)

    found = own_process.introduce(f"print('loading')\n{BOT}", (), ROOMY)

    assert isinstance(found, Introduced)
    assert (found.name, [each.name for each in found.parameters]) == ("Tried", ["length"])
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


def test_a_bot_may_not_do_what_the_platform_refuses_in_words() -> None:
    said = own_process.introduce("import socket\nsocket.socket()", (), ROOMY)

    assert isinstance(said, str)
    assert said.startswith("FORBIDDEN: PermissionError")
    assert "A bot has no network" in said


def test_code_that_no_parser_reads_is_a_finding() -> None:
    assert [each.rule for each in own_process.inspect(b"(" * 10_000)] == ["depth"]
