"""Connections to the database, which are looked at before each request and seldom asked."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, InternalError, OperationalError, connection

from marketplace.database.base import DatabaseWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept() -> Iterator[DatabaseWrapper]:
    """A connection that is kept between requests, as those of tests are not."""
    kept: Any = connection.copy()
    kept.settings_dict["CONN_MAX_AGE"] = 60
    kept.connect()
    yield kept
    kept.close()


def request(kept: DatabaseWrapper) -> int:
    """Ask for something as a request does; return which process answered."""
    kept.close_if_unusable_or_obsolete()  # as Django does when one begins
    with kept.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchall()[0][0])


def begin(kept: DatabaseWrapper) -> None:
    """Begin a request that asks for nothing."""
    kept.close_if_unusable_or_obsolete()
    kept.cursor().close()


def end(pid: int) -> None:
    """End the process that serves a connection, and wait until it has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        assert cursor.fetchall() == [(True,)]


def last_asked(pid: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid])
        return str(cursor.fetchall()[0][0])


def test_a_connection_that_has_just_answered_is_not_asked(kept: DatabaseWrapper) -> None:
    begin(kept)
    pid = request(kept)

    begin(kept)
    assert last_asked(pid) == "SELECT pg_backend_pid()"

    kept.answered_at = float("-inf")  # long ago
    begin(kept)
    assert last_asked(pid) == "SELECT 1"


def test_a_connection_that_the_server_has_just_ended_is_made_anew(kept: DatabaseWrapper) -> None:
    begin(kept)
    pid = request(kept)

    end(pid)
    new = request(kept)
    assert new != pid

    end(new)
    with pytest.raises(OperationalError), kept.cursor() as cursor:  # in the middle of a request
        cursor.execute("SELECT 1")
    assert request(kept) not in (pid, new)


def test_what_was_left_unfinished_on_a_connection_meets_no_other_request(kept: DatabaseWrapper) -> None:
    begin(kept)
    pid = request(kept)
    with pytest.raises(DatabaseError), kept.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 / 0")

    with pytest.raises(InternalError), kept.cursor() as cursor:  # in the same request
        cursor.execute("SELECT 1")
    assert request(kept) != pid
