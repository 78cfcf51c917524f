"""CSV for spreadsheets, which take a text that begins in a certain way for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exchanges.templatetags.amounts import plain

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What a writer writes one line into, and hands it on."""

    def write(self, line: str) -> str:
        return line


def lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the file line by line, the names of the columns first, each cell as `cell` has it."""
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: Any) -> Any:
    """Return a value as a spreadsheet takes it: moments in UTC, exact numbers, and texts that do nothing."""
    match value:
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case Decimal():
            return plain(value)
        case str():
            return f"'{value}" if value.startswith(FORMULA_STARTS) else value
        case _:
            return "" if value is None else value
