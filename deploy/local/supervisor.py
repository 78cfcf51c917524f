"""Keep a set of processes running until told to stop, and leave none behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from deploy.local import process

LOG_TAIL_LINES = 20
_WATCH_SECONDS = 0.1
_QUICK_DEATH_SECONDS = 20.0
_QUICK_DEATHS_ALLOWED = 5
_LONGEST_PAUSE_SECONDS = 10.0


class ServiceFailed(Exception):
    """A service does not stay up; the text shows the end of its log."""


class Server(Protocol):
    """A server that starts and stops in its own way."""

    name: str

    def start(self) -> subprocess.Popen[bytes]: ...
    def stop(self) -> None: ...


@dataclass
class Service:
    """One program to keep running."""

    name: str
    log: Path
    launch: Callable[[], subprocess.Popen[bytes]]
    end: Callable[[subprocess.Popen[bytes]], None] = process.stop
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0
    resume_at: float = 0.0


@dataclass
class Supervisor:
    """Starts services in order, restarts those that die, stops all in reverse order.

    `tell` receives lines for the person who watches.
    """

    folder: Path
    environment: Mapping[str, str]
    tell: Callable[[str], None] = print
    services: list[Service] = field(default_factory=list)

    def start(
        self, name: str, command: Sequence[str], log: Path, *, last_wish: signal.Signals = signal.SIGTERM
    ) -> Service:
        """Start a program and keep it running; it gets `last_wish` when we are killed."""

        def launch() -> subprocess.Popen[bytes]:
            return process.start(
                command, log=log, environment=self.environment, folder=self.folder, last_wish=last_wish
            )

        return self._keep(Service(name, log, launch))

    def keep(self, server: Server, log: Path) -> Service:
        """Start a server and keep it running. Raises what its own start raises."""
        return self._keep(Service(server.name, log, server.start, lambda _: server.stop()))

    def watch(self, is_over: Callable[[], bool]) -> None:
        """Look after the services until `is_over`. Raises ServiceFailed when one keeps dying."""
        while not is_over():
            for service in self.services:
                self._look_after(service)
            time.sleep(_WATCH_SECONDS)

    def stop(self) -> None:
        """Stop everything that was started, the last first."""
        while self.services:
            service = self.services.pop()
            if service.process is not None:
                service.end(service.process)

    def _keep(self, service: Service) -> Service:
        self.services.append(service)
        self._start(service)
        return service

    def _start(self, service: Service) -> None:
        service.started_at = time.monotonic()
        service.process = service.launch()

    def _look_after(self, service: Service) -> None:
        now = time.monotonic()
        if service.process is None:
            if now >= service.resume_at:
                self._start(service)
            return
        status = service.process.poll()
        if status is None:
            return
        is_quick = now - service.started_at < _QUICK_DEATH_SECONDS
        service.quick_deaths = service.quick_deaths + 1 if is_quick else 1
        if service.quick_deaths > _QUICK_DEATHS_ALLOWED:
            raise ServiceFailed(f"{service.name} does not stay up. The end of its log:\n{tail(service.log)}")
        pause = min(2.0 ** (service.quick_deaths - 1) - 1, _LONGEST_PAUSE_SECONDS)
        self.tell(f"{service.name} ended with status {status}; starting it again.")
        process.end_group(service.process)
        service.process, service.resume_at = None, now + pause


class Interruption:
    """Whether somebody asked us to stop, by Ctrl-C or SIGTERM; calling it tells."""

    def __init__(self) -> None:
        self._is_asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        return self._is_asked

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._is_asked and number == signal.SIGINT:
            print("Stopping already; a moment please.", file=sys.stderr)
        self._is_asked = True


def tail(log: Path) -> str:
    if not log.exists():
        return "(empty)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
