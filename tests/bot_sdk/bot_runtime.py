"""Run a few lines of Python on the libraries that bots run on, which are not those of the tests."""

import json
import subprocess
import textwrap
from typing import Any

from execution.sandbox import runtime

_IMPORTS = """
import io, json
import numpy as np
from bot_sdk.model_files import *
from tests.onnx_models import *
"""


def in_runtime(code: str) -> Any:
    """Run the lines and return what they leave in `answer`, as JSON carries it."""
    lines = f"{_IMPORTS}{textwrap.dedent(code)}\nprint(json.dumps(answer))"
    done = subprocess.run(
        [*runtime.command_outside(), "-c", lines],
        env=runtime.environment_outside(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
