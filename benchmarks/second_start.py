"""Seconds from `make run` to a page, when everything has been set up before."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300


def report() -> None:
    starts = ", then ".join(f"{seconds_to_page():.1f}" for _ in range(2))
    print(f"seconds from `make run` to a page, with set-up done: {starts}")


def seconds_to_page() -> float:
    """Start the product as a person would, wait until it prints its address, and stop it."""
    own = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "ENV_FILE", "DEMO", "MARKET_DATA"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    start = time.perf_counter()
    process = subprocess.Popen(
        ["make", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        return _seconds_until_address(process, start)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)


def _seconds_until_address(process: subprocess.Popen[str], start: float) -> float:
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(r"https?://\S+", line):
            return time.perf_counter() - start
        if time.perf_counter() - start > PATIENCE_SECONDS:
            break
    sys.exit("`make run` did not print an address; its output is above.")
