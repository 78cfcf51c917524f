"""The audit log keeps what was done, and shows when somebody with rights on the database has changed it."""

import copy
import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from accounts import audit
from accounts.models import AuditEntry, AuditHead, User
from execution.invariants import find_breaches
from tests.factories import make_user

pytestmark = pytest.mark.django_db

SEED = 26
ROUNDS = 1_000
FIELDS = [field.attname for field in AuditEntry._meta.fields if field.attname != "number"]
Log = tuple[AuditHead, list[AuditEntry]]


def fill(count: int = 12) -> None:
    people = [make_user(name, is_staff=True) for name in ("nina", "otto")]
    for number in range(count):
        audit.record(
            actor=people[number % 2],
            action="person.noted",
            target=people[0],
            note=f"the {number}th",
            cents=number,
        )


def tampering() -> list[str]:
    return [f"{row}: {says}" for row, says in audit.find_tampering()]


def as_attacker(*statements: str) -> None:
    """Run SQL with the rights of the tables' owner, who can switch the triggers off."""
    with connection.cursor() as cursor:
        for table in ("accounts_auditentry", "accounts_audithead"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)


def test_an_entry_says_who_did_what_to_which_row_when_and_how(mona: User, bob: User) -> None:
    audit.record(actor=mona, action="person.banned", target=bob, reason="spam", fee=Decimal("1.50"))

    entry = AuditEntry.objects.get()
    assert (entry.number, entry.actor, entry.actor_name, entry.action) == (1, mona, "mona", "person.banned")
    assert (entry.object_type, entry.object_id, entry.object_name) == ("accounts.user", str(bob.pk), "bob")
    assert entry.details == {"reason": "spam", "fee": "1.50"}
    assert tampering() == []


def test_the_command_line_is_named_as_such(bob: User) -> None:
    assert audit.record(actor=None, action="person.noted", target=bob).actor_name == "the command line"


def test_what_was_not_done_is_not_recorded(bob: User) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record(actor=bob, action="person.noted", target=bob)
        raise ZeroDivisionError

    assert not AuditEntry.objects.exists()
    assert AuditHead.objects.get().count == 0


def test_floats_are_refused_since_they_come_back_as_others(bob: User) -> None:
    with pytest.raises(TypeError, match="hold no floats, got 0.1"):
        audit.record(actor=bob, action="person.noted", target=bob, share=0.1)


def test_an_entry_outlives_the_person_who_did_it() -> None:
    nina, otto = make_user("nina"), make_user("otto")
    audit.record(actor=nina, action="person.noted", target=otto)

    nina.delete()

    assert AuditEntry.objects.get().actor_name == "nina"
    assert tampering() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditentry SET action = 'x' WHERE number = 2",
        "DELETE FROM accounts_auditentry WHERE number = 2",
        "TRUNCATE accounts_auditentry",
        "UPDATE accounts_audithead SET count = 1",
        "DELETE FROM accounts_audithead",
        "TRUNCATE accounts_audithead",
    ],
)
def test_the_database_refuses_to_change_the_log(statement: str) -> None:
    fill(3)
    with connection.cursor() as cursor:
        for table in ("auditentry", "audithead"):  # which the tests switch off
            cursor.execute(f"ALTER TABLE accounts_{table} ENABLE TRIGGER accounts_{table}_is_not_emptied")

        with pytest.raises(DatabaseError, match="The audit log only grows"), transaction.atomic():
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE accounts_auditentry SET actor_name = 'otto' WHERE number = 3",
            "audit entry 3: what it says",
        ),
        (
            "UPDATE accounts_auditentry SET at = at + interval '1 us' WHERE number = 3",
            "audit entry 3: what it",
        ),
        ("UPDATE accounts_auditentry SET details = '{}' WHERE number = 3", "audit entry 3: what it says"),
        ("DELETE FROM accounts_auditentry WHERE number = 3", "audit entry 4: it comes after entry 2"),
        (
            "DELETE FROM accounts_auditentry WHERE number > 10",
            "audit log: it had 12 entries and ends with entry 10",
        ),
        ("DELETE FROM accounts_auditentry", "audit log: it had 12 entries and ends with entry 0"),
        ("UPDATE accounts_audithead SET count = 10", "audit log: its head says something else"),
        ("DELETE FROM accounts_audithead", "audit log: its head is missing"),
        (
            "INSERT INTO accounts_auditentry SELECT 13, at, actor_name, action, object_type, object_id, "
            "object_name, details, key_id, seal, seal, actor_id FROM accounts_auditentry WHERE number = 12",
            "audit entry 13: what it says",
        ),
    ],
)
def test_what_an_attacker_does_in_the_database_is_found(statement: str, says: str) -> None:
    fill()
    assert tampering() == []

    as_attacker(statement)

    assert any(each.startswith(says) for each in tampering()), tampering()
    assert "audit log" in {breach.rule for breach in find_breaches()}


def change(log: Log, dice: random.Random) -> None:
    entry = dice.choice(log[1])
    field = dice.choice(
        ["at", "actor_id", "actor_name", "action", "object_type", "object_id", "details", "seal"]
    )
    value = getattr(entry, field)
    if field == "at":
        entry.at += timedelta(microseconds=dice.choice([-1, 1]))
    elif field == "details":
        entry.details = {**value, "cents": value["cents"] + 1}
    elif field == "actor_id":
        entry.actor_id = (value or 0) + 1
    else:
        place = dice.randrange(len(value))
        setattr(entry, field, value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :])


def delete(log: Log, dice: random.Random) -> None:
    gone = dice.randrange(len(log[1]))
    del log[1][gone]
    if dice.random() < 0.5:
        number_anew(log)


def insert(log: Log, dice: random.Random) -> None:
    place = dice.randrange(len(log[1]) + 1)
    log[1].insert(place, copy.copy(dice.choice(log[1])))
    number_anew(log)


def reorder(log: Log, dice: random.Random) -> None:
    one, other = dice.sample(range(len(log[1])), 2)
    log[1][one], log[1][other] = log[1][other], log[1][one]
    number_anew(log)


def cut_off(log: Log, dice: random.Random) -> None:
    del log[1][-dice.randint(1, len(log[1])) :]
    if dice.random() < 0.5:
        log[0].count = len(log[1])
        log[0].last = log[1][-1].seal if log[1] else audit.NOTHING_BEFORE


def number_anew(log: Log) -> None:
    for number, entry in enumerate(log[1], start=1):
        entry.number = number


def seal_anew(log: Log) -> None:
    """What only the keys' holder can do: write the chain and its head again over what is there."""
    head, entries = log
    number_anew(log)
    head.count, head.last = len(entries), audit.NOTHING_BEFORE
    for entry in entries:
        entry.previous, entry.key_id = head.last, head.key_id
        entry.seal = head.last = audit.seal_of_entry(entry)
    audit.seal_head(head)


def is_clean(log: Log) -> bool:
    return not list(audit.find_tampering_in(*log))


ATTACKS = (change, delete, insert, reorder, cut_off)


def test_each_of_a_thousand_tamperings_is_found_and_none_without_the_key() -> None:
    fill()
    log: Log = (AuditHead.objects.get(), list(AuditEntry.objects.order_by("number")))
    dice = random.Random(SEED)
    print(f"seed {SEED}")
    unseen, unseen_of_key_holder = 0, 0

    for number in range(ROUNDS):
        attacked = (copy.copy(log[0]), [copy.copy(entry) for entry in log[1]])
        ATTACKS[number % len(ATTACKS)](attacked, dice)
        unseen += is_clean(attacked)
        seal_anew(attacked)
        unseen_of_key_holder += is_clean(attacked)

    assert unseen == 0
    assert unseen_of_key_holder == ROUNDS


def test_a_log_sealed_under_a_key_that_is_gone_is_said_to_be(settings: Settings) -> None:
    fill(1)
    settings.AUDIT_KEYS = {"new": bytes(32)}

    assert [says for _, says in audit.find_tampering()] == [
        "it is sealed under the key 'first', which AUDIT_KEYS lacks.",
        "its head is sealed under the key 'first', which AUDIT_KEYS lacks.",
    ]


def test_another_key_takes_over_and_the_old_one_opens_what_it_sealed(settings: Settings, bob: User) -> None:
    fill(2)
    settings.AUDIT_KEYS = {"new": bytes(32), **settings.AUDIT_KEYS}

    entry = audit.record(actor=bob, action="person.noted", target=bob)

    assert entry.key_id == "new"
    assert tampering() == []


def test_the_check_of_the_books_prints_the_head(capsys: pytest.CaptureFixture[str]) -> None:
    fill(2)
    call_command("check_invariants")
    assert f"audit log: 2 entries, the last sealed {AuditHead.objects.get().last}" in capsys.readouterr().out

    as_attacker("DELETE FROM accounts_auditentry WHERE number = 2")
    with pytest.raises(CommandError, match="1 of"):
        call_command("check_invariants")
