"""Lists whose SQL is made once.

Django takes longer to put a list's SQL together than PostgreSQL to answer it, and it is the same whenever the
same is asked for. The rows are read anew each time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet

type Row = tuple[Any, ...]
type Converter = Callable[[Any, Any, Any], Any]


class Statement(NamedTuple):
    """A query as the database gets it, and what Django makes of the columns that come."""

    sql: str
    parameters: tuple[Any, ...]
    converters: Mapping[int, tuple[Sequence[Converter], Any]]  # by a column's place, with its expression

    @classmethod
    def of(cls, rows: QuerySet[Any, Any]) -> Self:
        """Take it from a `values_list`."""
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        return cls(sql, parameters, compiler.get_converters([column for column, *_ in compiler.select]))

    def rows(self, part: slice | None = None) -> list[Row]:
        sql, parameters = self.sql, self.parameters
        if part:
            sql, parameters = f"{sql} LIMIT %s OFFSET %s", (*parameters, part.stop - part.start, part.start)
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            found: list[Row] = cursor.fetchall()
        return [self._converted(row) for row in found] if self.converters else found

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
