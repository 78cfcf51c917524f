import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.places import ROOT
from deploy.local.supervisor import ServiceFailed, Supervisor

PATIENCE_SECONDS = 20

# A supervisor of its own, to be killed: it starts two services and writes their ids to a file.
SCRIPT = """
import os, sys, time
from pathlib import Path
from deploy.local.supervisor import Interruption, Supervisor
folder = Path(sys.argv[1])
is_over = Interruption()
supervisor = Supervisor(folder, os.environ)
for name in ("one", "two"):
    supervisor.start(name, [sys.executable, "-c", "import time; time.sleep(600)"], folder / f"{name}.log")
ids = [str(service.process.pid) for service in supervisor.services]
(folder / "ids.new").write_text(" ".join(ids))
(folder / "ids.new").rename(folder / "ids")
try:
    supervisor.watch(is_over)
finally:
    supervisor.stop()
"""


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_supervisor(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as supervisor:
        named = tmp_path / "ids"
        eventually(lambda: named.exists() and named.read_text() != "")
        ids = [int(word) for word in named.read_text().split()]
        assert all(map(is_alive, ids))

        supervisor.send_signal(how)

    eventually(lambda: not any(map(is_alive, ids)))


def test_a_service_that_dies_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(tmp_path, os.environ, tell=told.append)
    marks = tmp_path / "marks"
    code = f"import time; open({str(marks)!r}, 'a').write('x'); time.sleep(600)"
    service = supervisor.start("web", [sys.executable, "-c", code], tmp_path / "web.log")
    try:
        eventually(lambda: marks.exists() and marks.read_text() == "x")
        assert service.process is not None
        service.process.kill()

        deadline = time.monotonic() + PATIENCE_SECONDS
        supervisor.watch(lambda: marks.read_text() == "xx" or time.monotonic() > deadline)

        assert marks.read_text() == "xx"
        assert told == ["web ended with status -9; starting it again."]
    finally:
        supervisor.stop()


def test_what_a_dead_service_left_behind_goes_before_it_starts_again(tmp_path: Path) -> None:
    children = tmp_path / "children"
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open({str(children)!r}, "a") as file:
    file.write(f"{{child.pid}}\\n")
time.sleep(600)
"""
    supervisor = Supervisor(tmp_path, os.environ, tell=print)
    service = supervisor.start("worker", [sys.executable, "-c", code], tmp_path / "worker.log")
    try:
        eventually(lambda: children.exists() and children.read_text().endswith("\n"))
        assert service.process is not None
        service.process.kill()

        deadline = time.monotonic() + PATIENCE_SECONDS
        supervisor.watch(lambda: len(children.read_text().splitlines()) == 2 or time.monotonic() > deadline)

        first, second = map(int, children.read_text().split())
        eventually(lambda: not is_alive(first))
        assert is_alive(second)
    finally:
        supervisor.stop()


def test_a_service_that_never_stays_up_ends_the_watch_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.supervisor._LONGEST_PAUSE_SECONDS", 0.05)
    supervisor = Supervisor(tmp_path, os.environ, tell=print)
    supervisor.start("web", [sys.executable, "-c", "raise SystemExit('no port')"], tmp_path / "web.log")

    with pytest.raises(ServiceFailed, match="web does not stay up.*\nno port"):
        supervisor.watch(lambda: False)
