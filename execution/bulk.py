"""Many rows of one model in one statement that is cheap to make.

Django prepares every value of every row, which is most of what a wave's rows cost. The rows of one wave have
most values in common: each of these is prepared and sent once. What differs is sent as one array per column.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.db import connection
from django.db.models import Field, Model

type AnyField = "Field[Any, Any]"


def insert[Row: Model](rows: Sequence[Row], *, apart: str) -> list[Row]:
    """Insert the rows that no constraint forbids and return them, with their `pk`.

    No two rows have the same in the field that `apart` names.
    """
    if not rows:
        return []
    meta = rows[0]._meta
    key = _field(rows[0], apart)
    sent = _Sent(rows, [field for field in meta.concrete_fields if field is not meta.pk], differing=key)
    columns = ", ".join(_column(field) for field in sent.fields)
    values = ", ".join(sent.sql_of(field) for field in sent.fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_quoted(meta.db_table)} ({columns}) SELECT {values} FROM {sent.table} "
            f"ON CONFLICT DO NOTHING RETURNING {_column(key)}, {_column(meta.pk)}",
            sent.parameters,
        )
        inserted = dict(cursor.fetchall())
    for row in rows:
        row.pk = inserted.get(getattr(row, key.attname))
    return [row for row in rows if row.pk is not None]


def update(
    rows: Sequence[Model],
    names: Iterable[str],
    *,
    matching: Iterable[str] = (),
    also: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write the named fields of the rows, and to all of them the values in `also`.

    Left alone is a row that in the database differs from what it is here in a field named in `matching`.
    """
    if not rows:
        return
    meta = rows[0]._meta
    written, matched = ([_field(rows[0], name) for name in those] for those in (names, matching))
    sent = _Sent(rows, [meta.pk, *written, *matched], differing=meta.pk)
    changes = [f"{_column(field)} = {sent.sql_of(field)}" for field in written]
    for name, value in also.items():
        field = _field(rows[0], name)
        changes.append(f"{_column(field)} = %(also_{name})s")
        sent.parameters[f"also_{name}"] = field.get_db_prep_save(value, connection)
    conditions = [f"kept.{_column(field)} = {sent.sql_of(field)}" for field in (meta.pk, *matched)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_quoted(meta.db_table)} AS kept SET {', '.join(changes)} FROM {sent.table} "
            f"WHERE {' AND '.join(conditions)}",
            sent.parameters,
        )


class _Sent:
    """Values of some rows' fields on their way: `table` has those that differ, a row for each of the rows."""

    def __init__(self, rows: Sequence[Model], fields: Sequence[AnyField], *, differing: AnyField):
        self.fields = fields
        self.parameters: dict[str, Any] = {}
        self._arrays: list[AnyField] = []
        for field in fields:
            values = [getattr(row, field.attname) for row in rows]
            prepared = {id(value): value for value in values}
            for known, value in prepared.items():
                prepared[known] = field.get_db_prep_save(value, connection)
            if len(prepared) == 1 and field is not differing:
                self.parameters[field.name] = prepared.popitem()[1]
            else:
                self.parameters[field.name] = [prepared[id(value)] for value in values]
                self._arrays.append(field)

    @property
    def table(self) -> str:
        arrays = ", ".join(f"CAST(%({field.name})s AS {_type(field)}[])" for field in self._arrays)
        return f"UNNEST({arrays}) AS sent ({', '.join(_column(field) for field in self._arrays)})"

    def sql_of(self, field: AnyField) -> str:
        if field in self._arrays:
            return f"sent.{_column(field)}"
        return f"CAST(%({field.name})s AS {_type(field)})"


def _field(row: Model, name: str) -> Any:
    return row._meta.get_field(name)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _column(field: AnyField) -> str:
    assert field.column  # a concrete field has one
    return _quoted(field.column)


def _type(field: AnyField) -> str:
    """Return the field's type without its length: a value too long is refused, not cut."""
    return (field.db_type(connection) or "").split("(")[0]
