import os
import subprocess
import sys
from pathlib import Path

from deploy.local.places import ROOT


def find_python(**environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "deploy" / "find_python.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_python_that_works_is_taken() -> None:
    found = find_python(PATH=os.environ["PATH"], PYTHON=sys.executable)

    assert found.stdout.strip() == sys.executable


def test_a_shim_with_nothing_behind_it_is_passed_over(tmp_path: Path) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    (tmp_path / "python3").symlink_to(sys.executable)

    found = find_python(PATH=f"{tmp_path}:/usr/bin:/bin", PYTHON="")

    assert found.returncode == 0
    assert str(shim) not in found.stdout
