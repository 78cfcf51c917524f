import os
import subprocess
import sys
from pathlib import Path

from deploy.local.places import ROOT

SCRIPT = ROOT / "deploy" / "find_python.sh"


def find_python(script: Path = SCRIPT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(script)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_a_python_that_works_is_taken_without_its_virtual_environment() -> None:
    found = find_python(PATH=os.environ["PATH"], PYTHON=sys.executable)

    assert Path(found.stdout.strip()).samefile(Path(sys.base_prefix) / "bin" / "python3")


def test_a_named_python_that_does_not_work_is_an_error(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho Python 2.7.18\nexit 1\n")
    old.chmod(0o755)

    found = find_python(PATH=os.environ["PATH"], PYTHON=str(old))

    assert (found.returncode, found.stdout) == (1, "")
    assert f"PYTHON={old} cannot be used: Python 2.7.18" in found.stderr


def test_a_shim_with_nothing_behind_it_is_passed_over(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / "find_python.sh"  # in a tree that has no environment yet
    script.parent.mkdir()
    script.write_bytes(SCRIPT.read_bytes())
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    (tmp_path / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")

    found = find_python(script, PATH=f"{tmp_path}:/usr/bin:/bin")

    assert found.returncode == 0
    assert Path(found.stdout.strip()).samefile(Path(sys.base_prefix) / "bin" / "python3")
