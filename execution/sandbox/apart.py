"""Read a bot's code where no bot runs, as web processes do: apart and within limits, but not confined."""

import subprocess
import sys
from pathlib import Path

import bot_sdk
from bot_sdk.code_policy import MAX_BYTES, Finding
from bot_sdk.process.endings import ended_early
from bot_sdk.process.environment import ENVIRONMENT
from bot_sdk.process.inspection import Inspection, findings_in
from execution.sandbox.errors import SandboxUnavailable

PATIENCE_SECONDS = 20.0  # on a busy machine; what takes the code's own limit of CPU time ends by itself

_COMMAND = (sys.executable, "-S", "-m", "bot_sdk.process.reading")  # without site-packages: it needs none
_FOLDER = Path(bot_sdk.__file__).parents[1]


def inspect_apart(code: bytes) -> list[Finding]:
    """Return what the static policy finds in a bot's code, by line; that it could not be read is one, too.

    The code is parsed and not run, in a process that may crash, with 256 MB and 10 seconds of CPU time.
    Raises SandboxUnavailable when no process can be had or the machine is too busy.
    """
    try:
        done = subprocess.run(
            _COMMAND,
            input=code[: MAX_BYTES + 1],  # of which the answer is the same
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_FOLDER,
            env=ENVIRONMENT,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxUnavailable("The code cannot be read just now. Try again in a minute.") from error
    if done.returncode:
        return findings_in(ended_early(done.returncode))
    return findings_in(Inspection(code).read_line(done.stdout))
