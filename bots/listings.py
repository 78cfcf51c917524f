"""Lists whose SQL is made once, and planned once for each connection.

Django takes longer to put a list's SQL together, and PostgreSQL to plan it, than to find the rows; both are
the same whenever the same is asked for. The rows are read anew each time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import psycopg
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, ProgrammingError, connection
from django.db.models import QuerySet

TIMES_PLANNED_ANEW = 1  # before a connection keeps the plan; psycopg keeps those of the 100 latest statements

type Row = tuple[Any, ...]
type Converter = Callable[[Any, Any, Any], Any]


class Statement(NamedTuple):
    """A query as the database gets it, and what Django makes of the columns that come.

    Its values are part of the SQL: what is planned without them suits no page and no index in particular.
    """

    sql: str
    converters: Mapping[int, tuple[Sequence[Converter], Any]]  # by a column's place, with its expression

    @classmethod
    def of(cls, rows: QuerySet[Any, Any]) -> Self:
        """Take it from a `values_list`."""
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        with connection.cursor() as cursor:
            sql = cursor.mogrify(*compiler.as_sql())
        return cls(sql, compiler.get_converters([column for column, *_ in compiler.select]))

    def rows(self, part: slice | None = None) -> list[Row]:
        try:
            found = self._read(part)
        except (NotSupportedError, ProgrammingError):  # a column has another type, or the plan is gone
            if connection.in_atomic_block:
                raise
            connection.close()
            found = self._read(part)
        return [self._converted(row) for row in found] if self.converters else found

    def _read(self, part: slice | None) -> list[Row]:
        sql = f"{self.sql} LIMIT {part.stop - part.start} OFFSET {part.start}" if part else self.sql
        with connection.cursor() as cursor:
            if connection.queries_logged:  # the log knows only Django's own cursors, which keep no plans
                cursor.execute(sql)
            else:
                cursor.cursor = psycopg.Cursor(connection.connection)
                with keeping_plans(connection.connection):
                    cursor.execute(sql)
            found: list[Row] = cursor.fetchall()
        return found

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for place, (converters, expression) in self.converters.items():
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        return tuple(values)


class Listing(Sequence[Row]):
    """What a Paginator takes: it asks how many rows there are, and for the rows of one page as a slice."""

    def __init__(self, statement: Statement, counted: Callable[[], int]) -> None:
        self.statement = statement
        self.counted = counted

    def __len__(self) -> int:
        return self.counted()

    def __getitem__(self, part: Any) -> Any:
        return self.statement.rows(part)


@contextmanager
def keeping_plans(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Have the connection keep plans of what is asked inside; it counts nothing else that is asked of it."""
    usual, connection.prepare_threshold = connection.prepare_threshold, TIMES_PLANNED_ANEW
    try:
        yield
    finally:
        connection.prepare_threshold = usual
