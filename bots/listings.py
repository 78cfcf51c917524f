"""Lists whose SQL is made once.

Django takes longer to put a list's SQL together than PostgreSQL to answer it, and it is the same whenever the
same is asked for. The rows are read anew each time.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet

type Row = tuple[Any, ...]


class Statement(NamedTuple):
    """A query as the database gets it."""

    sql: str
    parameters: tuple[Any, ...]

    @classmethod
    def of(cls, rows: QuerySet[Any, Any]) -> Self:
        """Take it from a `values_list` of what the database's driver gives as it is stored.

        Raises TypeError for a column that Django would convert, as it does JSON: cast that to its text.
        """
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        converted = compiler.get_converters([column for column, *_ in compiler.select])
        if converted:
            raise TypeError(f"Expected columns that nothing converts, got {[*converted.values()]}.")
        return cls(sql, parameters)

    def rows(self, part: slice) -> list[Row]:
        with connection.cursor() as cursor:
            limits = (part.stop - part.start, part.start)
            cursor.execute(f"{self.sql} LIMIT %s OFFSET %s", (*self.parameters, *limits))
            found: list[Row] = cursor.fetchall()
            return found


class Listing(Sequence[Row]):
    """What a Paginator takes: it asks how many rows there are, and for the rows of one page as a slice."""

    def __init__(self, statement: Statement, counted: Callable[[], int]) -> None:
        self.statement = statement
        self.counted = counted

    def __len__(self) -> int:
        return self.counted()

    def __getitem__(self, part: Any) -> Any:
        return self.statement.rows(part)
