"""Lists whose plan each connection keeps, on the real PostgreSQL."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection

from bots.listings import Statement, keeping_plans
from bots.models import Category

NAMES = ["100 % %s", "Grid's", "Trend"]


@pytest.fixture
def names() -> Statement:
    for name in NAMES:
        Category.objects.create(name=name, slug=name[:4].strip().lower())
    return Statement.of(Category.objects.exclude(name="%").order_by("name").values_list("name"))


@pytest.fixture
def migrate() -> Iterator[Callable[[str], None]]:
    """Change a column's type by another connection, as an upgrade does while pages are shown."""
    other = connection.copy()

    def migrate(new_type: str) -> None:
        with other.cursor() as cursor:
            cursor.execute(f"ALTER TABLE bots_category ALTER COLUMN name TYPE {new_type}")

    yield migrate
    migrate("varchar(60)")
    other.close()


def plans(statement: Statement) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement = %s", [statement.sql])
        [(found,)] = cursor.fetchall()
    return int(found)


@pytest.mark.django_db
def test_a_list_that_is_asked_for_again_is_planned_once_and_read_anew(names: Statement) -> None:
    assert names.rows() == [(name,) for name in NAMES]
    assert plans(names) == 0  # most that is asked for is never asked for again
    for number in range(150):  # pages ask for other things meanwhile
        assert not Category.objects.filter(name=number).exists()
    for _ in range(2):
        assert names.rows() == [(name,) for name in NAMES]
        assert plans(names) == 1

    Category.objects.filter(name="Trend").update(name="Another")
    assert names.rows() == [("100 % %s",), ("Another",), ("Grid's",)]
    assert names.rows(slice(1, 2)) == [("Another",)]


@pytest.mark.django_db(transaction=True)
def test_a_plan_that_an_upgrade_makes_useless_is_made_anew(
    names: Statement, migrate: Callable[[str], None]
) -> None:
    for _ in range(3):
        names.rows()
    migrate("varchar(61)")
    with (
        pytest.raises(psycopg.errors.FeatureNotSupported),  # so that it does matter
        keeping_plans(connection.connection),
        psycopg.Cursor(connection.connection) as control,
    ):
        control.execute(names.sql.encode())

    assert names.rows() == [(name,) for name in NAMES]
