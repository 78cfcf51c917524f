import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, transaction
from django.utils import timezone

from bot_sdk.risk import SkipReason
from execution import bulk
from execution.models import Cycle
from subscriptions.models import Subscription
from tests.factories import make_subscription

pytestmark = pytest.mark.django_db

OPENED_AT = timezone.now().replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def subscriptions() -> list[Subscription]:
    return [make_subscription() for _ in range(3)]


@pytest.fixture
def running(subscriptions: list[Subscription]) -> list[Cycle]:
    return bulk.insert([unsaved(subscription) for subscription in subscriptions], apart="subscription")


def unsaved(subscription: Subscription, **facts: Any) -> Cycle:
    return Cycle(
        subscription=subscription,
        candle_opened_at=OPENED_AT,
        candle_closed_at=OPENED_AT + timedelta(hours=1),
        claim=uuid.uuid4(),
        lease_until=OPENED_AT + timedelta(hours=2),
        **facts,
    )


def test_rows_are_inserted_as_they_are(subscriptions: list[Subscription]) -> None:
    odd = {"reason": 'a "quote", {braces}\\ and NULL', "asked": [{"question": "price", "answer": 1.5}]}
    rows = [
        unsaved(subscriptions[0], equity=Decimal("0.1"), value=1.0),
        unsaved(subscriptions[1], equity=None, value=None, skip=SkipReason.COOL_DOWN, **odd),
        unsaved(subscriptions[2], equity=Decimal("1e20") - 1, is_shared=True),
    ]

    inserted = bulk.insert(rows, apart="subscription")

    assert inserted == rows
    for row in rows:
        kept = Cycle.objects.get(pk=row.pk)
        for field in Cycle._meta.concrete_fields:
            assert getattr(kept, field.attname) == getattr(row, field.attname), field.name


@pytest.mark.parametrize("taken", [[], [1], [0, 1, 2]])
def test_only_rows_that_were_not_there_are_returned(
    subscriptions: list[Subscription], taken: list[int]
) -> None:
    bulk.insert([unsaved(subscriptions[number]) for number in taken], apart="subscription")
    rows = [unsaved(subscription) for subscription in subscriptions]

    inserted = bulk.insert(rows, apart="subscription")

    assert inserted == [row for number, row in enumerate(rows) if number not in taken]
    assert Cycle.objects.count() == 3
    assert all(rows[number].pk is None for number in taken)


def test_only_what_is_named_is_updated(running: list[Cycle]) -> None:
    for number, cycle in enumerate(running):
        cycle.price, cycle.message, cycle.reason = Decimal(number), "same for all", "not named"

    bulk.update(running, ["price", "message"], also={"state": Cycle.State.DONE})

    kept = list(Cycle.objects.order_by("pk"))
    assert [cycle.price for cycle in kept] == [0, 1, 2]
    assert {(cycle.message, cycle.reason, cycle.state) for cycle in kept} == {("same for all", "", "DONE")}


@pytest.mark.parametrize("facts", [{"state": Cycle.State.INTERRUPTED}, {"claim": "0" * 32}])
def test_rows_that_have_changed_meanwhile_are_left_alone(running: list[Cycle], facts: dict[str, Any]) -> None:
    Cycle.objects.filter(pk=running[1].pk).update(**facts)
    for cycle in running:
        cycle.message = "written"

    bulk.update(running, ["message"], matching=("claim", "state"))

    assert [cycle.message for cycle in Cycle.objects.order_by("pk")] == ["written", "", "written"]


@pytest.mark.parametrize("change", ["insert", "update"])
@pytest.mark.parametrize("reasons", [["x" * 501] * 3, ["", "x" * 501, ""]])
def test_text_that_is_too_long_is_refused_and_not_cut(
    subscriptions: list[Subscription], change: str, reasons: list[str]
) -> None:
    rows = [unsaved(subscription) for subscription in subscriptions]
    write: Callable[[], object]
    if change == "insert":
        write = lambda: bulk.insert(rows, apart="subscription")  # noqa: E731
    else:
        bulk.insert(rows, apart="subscription")
        write = lambda: bulk.update(rows, ["reason"])  # noqa: E731
    for row, reason in zip(rows, reasons, strict=True):
        row.reason = reason

    with pytest.raises(DataError), transaction.atomic():
        write()

    assert set(Cycle.objects.values_list("reason", flat=True)) <= {""}


def test_nothing_is_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert bulk.insert([], apart="subscription") == []
        bulk.update([], ["message"])
