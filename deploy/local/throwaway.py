"""`python -m deploy.local exec -- COMMAND`: run a command on servers of its own, and remove them after."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.local import env, process
from deploy.local.places import ROOT, STATE
from deploy.local.postgres import Postgres, make_folder, reachable_folder
from deploy.local.supervisor import Interruption
from deploy.local.valkey import Valkey

_KEPT = ("SECRET_KEY", "VAULT_KEYS", "AUDIT_KEYS", "DATABASE_URL", "REDIS_URL")
_PREFIX = "throwaway-"


def execute(command: Sequence[str]) -> int:
    """Return the command's exit status. The installation's own settings and data stay out of it."""
    settings = {name: value for name, value in env.fresh_settings().items() if name in _KEPT}
    settings |= {"PUBLIC_URL": "http://127.0.0.1:8000", "ENV_FILE": ""}
    is_over = Interruption()
    with _throwaway_folder() as folder, ExitStack() as stack:
        postgres = Postgres(
            settings["DATABASE_URL"], folder / "postgres", folder / "postgres.log", is_throwaway=True
        )
        stack.callback(postgres.stop)
        postgres.start()
        valkey = Valkey(settings["REDIS_URL"], folder / "valkey", folder / "valkey.log")
        stack.callback(valkey.stop)
        valkey.start()
        running = process.start(command, environment={**os.environ, **settings}, folder=ROOT)
        stack.callback(process.stop, running)
        return _await(running, is_over)


@contextmanager
def _throwaway_folder() -> Iterator[Path]:
    """Make a folder that is locked while in use; those of runs that were killed are not, and go."""
    STATE.mkdir(exist_ok=True)
    base = reachable_folder(STATE / "throwaway").parent
    make_folder(base)
    for former in base.glob(f"{_PREFIX}*"):
        with ExitStack() as stack:
            if _lock(former, stack):
                shutil.rmtree(former, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=base) as name, ExitStack() as stack:
        folder = Path(name)
        _lock(folder, stack)
        folder.chmod(0o755)  # the database's user passes through
        yield folder


def _lock(folder: Path, stack: ExitStack) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):  # another run removed it, or uses it
        return False
    return True


def _await(running: subprocess.Popen[bytes], is_over: Interruption) -> int:
    while not is_over():
        try:
            return running.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
    print("\nStopping …", file=sys.stderr)
    return 130
