"""The audit log: who did what, in a chain that shows tampering.

Each entry is sealed with HMAC-SHA256 under a key that the database does not hold, over all that it says and
the seal of the entry before it; the head says, under a seal of its own, how many there are and which is the
last. So somebody who may write the database can change, remove, insert, reorder or cut off entries, but not
unseen.
Bringing back an older state of the whole log with its head, as a restore does, breaks no seal: compare the
head that `check_invariants` prints with one that was printed before.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from accounts.models import AuditEntry, AuditHead, User

NOTHING_BEFORE = "0" * 64
ROWS_AT_ONCE = 2_000

Found = Iterator[tuple[str, str]]  # which row, and what is wrong with it


class AuditLogBroken(Exception):
    """The log has lost its head: nothing can be added to it."""


def record(*, actor: User | None, action: str, target: Model, **details: Any) -> AuditEntry:
    """Add what `actor` does to `target`, as a part of the transaction that does it.

    `actor` is None for the command line; `action` is a code such as "version.approve". `details` are what
    JSON can carry, besides decimals and moments; no floats, which the database does not give back digit by
    digit, and never a secret. Whoever records next waits until this transaction ends, so record last.
    Raises AuditLogBroken.
    """
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().first()
        if head is None:
            raise AuditLogBroken("The audit log has no head. Run `manage.py check_invariants`.")
        entry = AuditEntry(
            number=head.count + 1,
            at=timezone.now(),
            actor=actor,
            actor_name="the command line" if actor is None else actor.username,
            action=action,
            object_type=target._meta.label_lower,
            object_id=str(target.pk),
            object_name=str(target)[:200],
            details=_as_stored(details),
            key_id=_sealing_key_id(),
            previous=head.last,
        )
        entry.seal = seal_of_entry(entry)
        entry.save(force_insert=True)
        head.count, head.last = entry.number, entry.seal
        seal_head(head)
        head.save()
    return entry


def begin() -> None:
    """Give a new database the head of an empty log; one that has any of a log is left as it is."""
    if not AuditHead.objects.exists() and not AuditEntry.objects.exists():
        head = AuditHead(pk=1, count=0, last=NOTHING_BEFORE)
        seal_head(head)
        head.save()


def say_head() -> str:
    """Return where the log ends, for people to keep elsewhere and compare."""
    head = AuditHead.objects.first()
    if head is None:
        return "audit log: no head"
    return f"audit log: {head.count} entries, the last sealed {head.last}"


def find_tampering() -> Found:
    """Yield each place where the log is not as it was written. Nothing is recorded meanwhile."""
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().first()
        entries = AuditEntry.objects.order_by("number").iterator(ROWS_AT_ONCE)
        return iter(list(find_tampering_in(head, entries)))


def find_tampering_in(head: AuditHead | None, entries: Iterable[AuditEntry]) -> Found:
    """Yield what is wrong with `entries`, which are in the order of their numbers, and with their head."""
    number, previous = 0, NOTHING_BEFORE
    for entry in entries:
        if entry.number != number + 1:
            yield _name(entry), f"it comes after entry {number}; what was between them is missing."
        elif entry.previous != previous:
            yield _name(entry), "it was not written after the entry before it."
        if entry.key_id not in settings.AUDIT_KEYS:
            yield _name(entry), f"it is sealed under the key {entry.key_id!r}, which AUDIT_KEYS lacks."
        elif not hmac.compare_digest(entry.seal, seal_of_entry(entry)):
            yield _name(entry), "what it says now is not what was written."
        number, previous = entry.number, entry.seal
    if head is None:
        yield "audit log", "its head is missing."
    elif head.key_id not in settings.AUDIT_KEYS:
        yield "audit log", f"its head is sealed under the key {head.key_id!r}, which AUDIT_KEYS lacks."
    elif not hmac.compare_digest(head.seal, _seal_of_head(head)):
        yield "audit log", "its head says something else than what was written."
    elif (head.count, head.last) != (number, previous):
        yield "audit log", f"it had {head.count} entries and ends with entry {number}, or another one."


def seal_of_entry(entry: AuditEntry) -> str:
    says = [
        entry.number,
        entry.at.astimezone(UTC).isoformat(),
        entry.actor_id,
        entry.actor_name,
        entry.action,
        entry.object_type,
        entry.object_id,
        entry.object_name,
        entry.details,
        entry.previous,
    ]
    return _seal(entry.key_id, "entry", says)


def seal_head(head: AuditHead) -> None:
    """Put the seal of what the head says into it; the caller saves it."""
    head.key_id = _sealing_key_id()
    head.seal = _seal_of_head(head)


def _seal_of_head(head: AuditHead) -> str:
    return _seal(head.key_id, "head", [head.count, head.last])


def _seal(key_id: str, kind: str, says: list[Any]) -> str:
    text = json.dumps([kind, *says], sort_keys=True, separators=(",", ":"))
    return hmac.new(settings.AUDIT_KEYS[key_id], text.encode(), hashlib.sha256).hexdigest()


def _sealing_key_id() -> str:
    return str(next(iter(settings.AUDIT_KEYS)))


def _as_stored(details: dict[str, Any]) -> Any:
    text = json.dumps(details, cls=DjangoJSONEncoder, allow_nan=False)
    return json.loads(text, parse_float=_refuse_float)


def _refuse_float(text: str) -> None:
    raise TypeError(f"An audit entry's details hold no floats, got {text}; pass a Decimal.")


def _name(entry: AuditEntry) -> str:
    return f"audit entry {entry.number}"
