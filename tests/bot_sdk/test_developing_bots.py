"""The developers' guide: its first bot is run by its own commands, from the wheel that is installed."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bot_sdk.examples
from bot_sdk.gate_steps import GATE_STEPS
from deploy.build_sdk import build
from execution.sandbox import runtime

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "developing_bots.md").read_text()
FIRST_BOT = (Path(bot_sdk.examples.__path__[0]) / "first_bot.py").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_guides_first_bot_is_the_one_that_the_command_line_writes() -> None:
    assert re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) == [FIRST_BOT]


def test_the_guides_commands_work_from_the_wheel_with_the_runtimes_libraries_alone(
    wheel: Path, tmp_path: Path
) -> None:
    libraries = runtime.environment_outside()["PYTHONPATH"].split(":")[0]
    environment = runtime.environment_outside() | {"PYTHONPATH": f"{libraries}:{wheel}"}
    said = []
    for command in COMMANDS:
        python, *arguments = command.split()
        assert python == "python"
        done = subprocess.run(
            [*runtime.command_outside(), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        said.append(done.stdout)

    written, ran, measured, checked = said
    assert (tmp_path / "mybot.py").read_text() == FIRST_BOT
    assert "Next: python -m bot_sdk run mybot.py" in written
    assert "  BUY  " in ran and "The RSI is" in ran
    assert "buy_below=25" in measured and "Sharpe" in measured
    assert checked.count(" ok ") == len(GATE_STEPS) - 1
    assert "Every step that needs no marketplace said yes. Left to the marketplace: similarity." in checked


def test_the_wheel_holds_the_sdk_alone_and_asks_for_the_runtimes_pins(wheel: Path) -> None:
    pins = (ROOT / "requirements" / "bots.txt").read_text().splitlines()

    with zipfile.ZipFile(wheel) as file:
        names = {name.partition("/")[0] for name in file.namelist()}
        (metadata,) = (name for name in file.namelist() if name.endswith("METADATA"))
        asked = re.findall(r"^Requires-Dist: ([^ \n]+)(.*)$", file.read(metadata).decode(), re.MULTILINE)

    assert {re.sub(r"-.*", "", name) for name in names} == {"bot_sdk"}
    assert {pin for pin, _ in asked} < set(pins)
    assert [pin.partition("==")[0] for pin, extra in asked if not extra] == [
        *("numpy", "pandas", "pandas-ta", "ta-lib")
    ]


@pytest.mark.release
def test_the_wheel_installs_into_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    home = tmp_path / "bots"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, home], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", home / "bin" / "python", wheel], check=True)
    command = home / "bin" / "bot-sdk"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    for arguments in (["new"], ["run"], ["backtest"], ["check"]):
        subprocess.run(
            [command, *arguments, "mybot.py"], cwd=tmp_path, env=environment, check=True, timeout=300
        )


@pytest.mark.parametrize("code", GATE_STEPS)
def test_the_guide_explains_each_step_as_the_table_has_it(code: str) -> None:
    step = GATE_STEPS[code]
    sections = dict(re.findall(r"^### gate: (\w+)\n(.*?)(?=^##)", GUIDE, re.DOTALL | re.MULTILINE))

    section = " ".join(sections[code].split())

    assert section.startswith(f"**{step.title}.** {step.question}")
    assert f"How to mend it: {step.mend}" in section
    assert ("Only the marketplace can take this step." in section) == step.needs_platform
    assert list(sections) == list(GATE_STEPS)
