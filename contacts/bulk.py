"""Many rows in one statement, on PostgreSQL and SQLite alike.

Django's ``bulk_create`` and ``bulk_update`` split their work into as many statements as the number
of parameters asks for, so what a batch costs would grow with its size. Here a call is one statement
whatever the number of rows: arrays and ``unnest`` on PostgreSQL, ``executemany`` on SQLite.

Rows are mappings from a field's ``attname`` to its value. Neither signals nor ``save`` are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

Row = Mapping[str, Any]


def _connection(model: type[models.Model]) -> BaseDatabaseWrapper:
    return connections[router.db_for_write(model)]


def _concrete(model: type[models.Model], names: Sequence[str]) -> list[models.Field[Any, Any]]:
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    return [by_name[name] for name in names]


def _name(connection: BaseDatabaseWrapper, field: models.Field[Any, Any]) -> str:
    """The field's column, quoted."""
    return connection.ops.quote_name(str(field.column))


#: What PostgreSQL gets as one JSON text for the whole column: the driver would escape an array's
#: items one by one in Python.
TRAVELS_AS_JSON = (models.JSONField, models.CharField, models.TextField)

#: One for all values: ``json.dumps`` makes one anew for each.
_json = json.JSONEncoder(ensure_ascii=False).encode


def _column(
    connection: BaseDatabaseWrapper, field: models.Field[Any, Any], values: list[Any]
) -> Any:
    """The values as the database driver takes them. A JSON ``None`` is SQL's NULL."""
    if connection.vendor == "postgresql" and isinstance(field, TRAVELS_AS_JSON):
        return _json(values)
    if isinstance(field, models.JSONField):
        return [None if value is None else _json(value) for value in values]
    if isinstance(field, models.ForeignKey):
        field = field.target_field
    if connection.vendor == "postgresql":
        if isinstance(field, models.UUIDField):
            return [None if value is None else str(value) for value in values]
        return values
    if isinstance(field, models.CharField | models.TextField | models.IntegerField):
        return values
    # Most rows of a batch have the same few values here, such as the moment of now.
    prepared: dict[Any, Any] = {None: None}
    for value in values:
        if value not in prepared:
            prepared[value] = field.get_db_prep_save(value, connection)
    return [prepared[value] for value in values]


def _types(connection: BaseDatabaseWrapper, fields: list[models.Field[Any, Any]]) -> list[str]:
    """The array types parameters are sent as. JSON and UUID travel as text."""
    names = []
    for field in fields:
        if isinstance(field, models.JSONField | models.UUIDField):
            names.append("text")
        else:
            # Of a primary key the type of what refers to it: an array of `serial` there is none.
            of = field.rel_db_type if field.primary_key else field.db_type
            names.append(str(of(connection)))
    return names


def _arrays(connection: BaseDatabaseWrapper, fields: list[models.Field[Any, Any]]) -> list[str]:
    """Each parameter as the array that is unnested."""
    return [
        "ARRAY(SELECT jsonb_array_elements(%s::jsonb))"
        if isinstance(field, models.JSONField)
        else "ARRAY(SELECT jsonb_array_elements_text(%s::jsonb))"
        if isinstance(field, TRAVELS_AS_JSON)
        else f"%s::{kind}[]"
        for field, kind in zip(fields, _types(connection, fields), strict=True)
    ]


def _casts(connection: BaseDatabaseWrapper, fields: list[models.Field[Any, Any]]) -> list[str]:
    """Each column of the unnested arrays, with the cast it needs."""
    return [
        f"NULLIF(v.{_name(connection, field)}, 'null'::jsonb)"
        if isinstance(field, models.JSONField)
        else f"v.{_name(connection, field)}::{field.db_type(connection)}"
        if isinstance(field, models.UUIDField)
        else f"v.{_name(connection, field)}"
        for field in fields
    ]


def insert(
    model: type[models.Model], rows: Sequence[Row], *, ignore_conflicts: bool = False
) -> None:
    """Insert ``rows`` in one statement. What the first row leaves out takes the field's default.

    All rows have the keys of the first. With ``ignore_conflicts`` a row that a unique constraint
    refuses is passed over, and the others are kept.
    """
    if not rows:
        return
    connection = _connection(model)
    given = list(rows[0])
    left_out = [
        field
        for field in model._meta.concrete_fields
        if field.attname not in rows[0] and not field.primary_key
    ]
    fields = _concrete(model, given) + left_out
    columns = [
        _column(connection, field, [row[name] for row in rows])
        for field, name in zip(fields, given, strict=False)
    ]
    columns += [
        _column(connection, field, [field.get_default() for _ in rows]) for field in left_out
    ]
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(_name(connection, field) for field in fields)
    tail = " ON CONFLICT DO NOTHING" if ignore_conflicts else ""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(_arrays(connection, fields))
            values = ", ".join(_casts(connection, fields))
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {values} FROM unnest({arrays}) AS v({names}){tail}",  # noqa: S608, E501
                columns,
            )
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks}){tail}",  # noqa: S608
                list(zip(*columns, strict=True)),
            )


def update(model: type[models.Model], rows: Sequence[Row], fields: Sequence[str]) -> None:
    """Set ``fields`` (attnames) of each row, found by its ``id``, in one statement."""
    if not rows:
        return
    connection = _connection(model)
    names = ["id", *fields]
    concrete = _concrete(model, names)
    columns = [
        _column(connection, field, [row[name] for row in rows])
        for field, name in zip(concrete, names, strict=True)
    ]
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(_arrays(connection, concrete))
            values = _casts(connection, concrete)
            targets = ", ".join(
                f"{_name(connection, field)} = {value}"
                for field, value in zip(concrete[1:], values[1:], strict=True)
            )
            listed = ", ".join(_name(connection, field) for field in concrete)
            cursor.execute(
                f"UPDATE {table} SET {targets} FROM unnest({arrays}) AS v({listed})"  # noqa: S608
                f" WHERE {table}.id = v.id",
                columns,
            )
        else:
            targets = ", ".join(f"{_name(connection, field)} = %s" for field in concrete[1:])
            cursor.executemany(
                f"UPDATE {table} SET {targets} WHERE id = %s",  # noqa: S608
                list(zip(*columns[1:], columns[0], strict=True)),
            )


def reserve(model: type[models.Model], count: int) -> list[int]:
    """``count`` ids that no other row gets, ascending; for rows that are inserted with their id.

    On SQLite the caller must hold the write lock, which an immediate transaction does.
    """
    if not count:
        return []
    connection = _connection(model)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                # The sequence is looked up once, not for each id.
                "SELECT nextval(named.sequence) FROM (SELECT pg_get_serial_sequence(%s, 'id')"
                "::regclass AS sequence OFFSET 0) AS named, generate_series(1, %s)",
                [table, count],
            )
            return sorted(row[0] for row in cursor.fetchall())
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
        first = (row[0] if row else 0) + 1
        return list(range(first, first + count))
