"""Build a wheel of `bot_sdk` alone, for the machines of bots' developers: `build_sdk.py FOLDER`.

Its requirements are the pins of the bots' runtime, so that a bot computes there what it will compute here.
What opens model files is left to an extra, `bot-sdk[models]`, since most bots have none.
"""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("numpy", "pandas", "pandas-ta", "ta-lib")

PYPROJECT = """\
[project]
name = "bot-sdk"
version = "{version}"
description = "Write a trading bot, and run, backtest and check it, with a marketplace's own numbers."
requires-python = "{python}"
dependencies = {needed}

[project.optional-dependencies]
models = {models}

[project.scripts]
bot-sdk = "bot_sdk.cli:command"

[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[tool.uv.build-backend]
module-root = ""
"""


def build(folder: Path) -> Path:
    """Return the wheel, which lies in `folder`."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = _lines("bots.in")
    pins = {line.partition("==")[0]: line for line in _lines("bots.txt")}
    text = PYPROJECT.format(
        version=ours["version"],
        python=ours["requires-python"],
        needed=[pins[name] for name in NEEDED],
        models=[pins[name] for name in named if name not in NEEDED],
    )
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        (project / "pyproject.toml").write_text(text)
        shutil.copytree(ROOT / "bot_sdk", project / "bot_sdk", ignore=shutil.ignore_patterns("__pycache__"))
        uv = Path(sys.executable).with_name("uv")
        command = [uv, "build", "--quiet", "--offline", "--wheel", "--python", sys.executable]
        subprocess.run([*map(str, command), "--out-dir", str(folder), name], check=True)
    return max(folder.glob("bot_sdk-*.whl"), key=lambda wheel: wheel.stat().st_mtime)


def _lines(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: build_sdk.py FOLDER")
    print(build(Path(sys.argv[1])))
