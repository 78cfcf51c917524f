"""What can go wrong between a client and an exchange, on demand."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from exchanges.simulator.http import Request

SECONDS_MOST = 600.0


class Kind(StrEnum):
    DELAY = "delay"  # answers `seconds` later
    DROP = "drop"  # closes the connection without an answer
    CLOSE = "close"  # closes it in the middle of the answer
    HANG = "hang"  # says nothing for `seconds`, then closes
    STATUS = "status"  # answers with the HTTP status `status`
    GARBAGE = "garbage"  # answers 200 with a body that is no JSON
    LATE = "late"  # closes without an answer, and carries the request out `seconds` later


class Moment(StrEnum):
    BEFORE = "before"  # the request is never carried out
    AFTER = "after"  # it is carried out first


@dataclass(frozen=True)
class Fault:
    """One fault: for the next `times` requests whose "METHOD /path" contains `match`."""

    kind: Kind
    moment: Moment = Moment.BEFORE
    match: str = ""
    times: int = 1
    seconds: float = 1.0
    status: int = 503

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Fault":
        """Read a fault from JSON. Raises ValueError that says what was expected."""
        unknown = set(raw) - {"kind", "when", "match", "times", "seconds", "status"}
        if unknown:
            raise ValueError(
                f"unknown: {', '.join(sorted(unknown))}; known: kind, when, match, times, seconds, status"
            )
        fault = cls(
            kind=Kind(raw.get("kind", "")),
            moment=Moment(raw.get("when", "before")),
            match=str(raw.get("match", "")),
            times=int(raw.get("times", 1)),
            seconds=float(raw.get("seconds", 1.0)),
            status=int(raw.get("status", 503)),
        )
        if fault.times < 1 or not 0 <= fault.seconds <= SECONDS_MOST or not 100 <= fault.status <= 599:
            raise ValueError("expected times >= 1, seconds from 0 to 600, and an HTTP status")
        return fault


class Faults:
    """The faults that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def next_for(self, request: Request) -> Fault | None:
        """Use up and return the first fault that is meant for this request."""
        operation = f"{request.method} {request.path}"
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.match in operation:
                    left = fault.times - 1
                    self._waiting[index : index + 1] = [replace(fault, times=left)] if left else []
                    return fault
        return None
