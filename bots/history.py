"""What happened to a version so far, as its developer reads it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.models import BotVersion, GateRun, Review

LATEST = datetime.max.replace(tzinfo=UTC)
CHECKED = {
    GateRun.State.PASSED: "Passed all checks",
    GateRun.State.FAILED: "Failed its checks",
    GateRun.State.CANCELED: "Checks canceled",
}
ENDED = {
    BotVersion.State.WITHDRAWN: "Withdrawn by you",
    BotVersion.State.RETIRED: "No longer offered",
    BotVersion.State.QUARANTINED: "Put in quarantine",
}


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is None when nobody noted the time, as in older rows; `reasons` and `note` are staff's."""

    title: str
    at: datetime | None
    reasons: Sequence[str] = ()
    note: str = ""


def history_of(version: BotVersion, gate: GateRun | None, reviews: Iterable[Review]) -> Sequence[Event]:
    """Return the events in the order of their times, those of no known time last."""
    return sorted(_events(version, gate, reviews), key=lambda event: event.at or LATEST)


def _events(version: BotVersion, gate: GateRun | None, reviews: Iterable[Review]) -> Iterator[Event]:
    yield Event("Draft begun", version.created_at)
    if version.submitted_at:
        yield Event("Submitted", version.submitted_at)
    if gate and gate.started_at:
        yield Event("Checks begun", gate.started_at)
    if gate and gate.finished_at:
        yield Event(CHECKED[GateRun.State(gate.state)], gate.finished_at)
    for review in reviews:
        reasons = [Review.Reason(each).label for each in review.reasons]
        yield Event(f"{review.get_decision_display()} by staff", review.decided_at, reasons, review.note)
    if version.published_at:
        yield Event("Published", version.published_at)
    if version.released_at:
        yield Event("Released from quarantine", version.released_at)
    state = BotVersion.State(version.state)
    if state in ENDED:
        yield Event(ENDED[state], version.stopped_at, note=version.state_reason)
