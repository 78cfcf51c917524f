"""`python -m deploy.local exec -- COMMAND`: run a command on servers of its own, and remove them after."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deploy.local import env, process
from deploy.local.places import ROOT, STATE
from deploy.local.postgres import Postgres, reachable_folder
from deploy.local.supervisor import Interruption
from deploy.local.valkey import Valkey

_KEPT = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")


def execute(command: Sequence[str]) -> int:
    """Return the command's exit status. The installation's own settings and data stay out of it."""
    settings = {name: value for name, value in env.fresh_settings().items() if name in _KEPT}
    settings |= {"PUBLIC_URL": "http://127.0.0.1:8000", "ENV_FILE": ""}
    is_over = Interruption()
    STATE.mkdir(exist_ok=True)
    base = reachable_folder(STATE / "throwaway").parent
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="throwaway-", dir=base) as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = Postgres(
            settings["DATABASE_URL"], folder / "postgres", folder / "postgres.log", is_throwaway=True
        )
        stack.callback(postgres.stop)
        postgres.start()
        valkey = Valkey(settings["REDIS_URL"], folder / "valkey", folder / "valkey.log")
        stack.callback(valkey.stop)
        valkey.start()
        running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, start_new_session=True)
        stack.callback(process.stop, running)
        return _await(running, is_over)


def _await(running: subprocess.Popen[bytes], is_over: Interruption) -> int:
    while not is_over():
        try:
            return running.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
    print("\nStopping …", file=sys.stderr)
    return 130
