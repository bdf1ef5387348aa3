"""What every program here needs: throwaway servers, Django, a table, a last line of JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.servers import PostgresCluster, RedisServer, postgres_binaries

ROOT = Path(__file__).parents[1]


def arguments(description: str) -> argparse.Namespace:
    """The options all programs have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smaller run, under 40 seconds")
    return parser.parse_args()


def anew(program: str, *arguments: object) -> Any:
    """What the last line of JSON of ``bench.program`` says, run in a process of its own: Django
    knows one database in its life, and memory is measured for a process.
    """
    command = [sys.executable, "-m", f"bench.{program}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def house(database: str = "postgresql") -> Iterator[RedisServer]:
    """A migrated, empty installation on throwaway servers; Django is set up in this process."""
    folder = tempfile.mkdtemp(prefix="journeys-bench-")
    redis = RedisServer()
    cluster = None
    os.environ.update(
        VAR_DIR=folder, REDIS_URL=redis.url, DJANGO_SETTINGS_MODULE="journeys_project.settings"
    )
    if database == "postgresql":
        binaries = postgres_binaries()
        if binaries is None:
            sys.exit("This needs PostgreSQL: install postgresql.")
        cluster = PostgresCluster(binaries)
        os.environ["DATABASE_URL"] = cluster.url
    else:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
    try:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield redis
    finally:
        from django.db import connections

        connections.close_all()
        if cluster is not None:
            cluster.stop()
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


def copy(model: Any, first: int, count: int, times: int, **shifted: int) -> None:
    """Copy ``count`` rows from id ``first`` on ``times`` over, with ids that follow on theirs.

    In one statement, as building a million rows in Python takes minutes. A column in ``shifted``
    rises by that much with each copy; texts that are unique, such as ``external_id``, get the
    copy's number at their end.
    """
    from django.db import connection

    columns, values = [], []
    for field in model._meta.concrete_fields:
        name = connection.ops.quote_name(field.column)
        columns.append(name)
        if field.primary_key:
            values.append(f"{name} + {count} * n")
        elif field.column in shifted:
            values.append(f"{name} + {shifted[field.column]} * n")
        elif field.column in ("external_id", "email"):
            values.append(f"{name} || '.' || n")
        else:
            values.append(name)
    table_name = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE numbers(n) AS (
                SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {times}
            )
            INSERT INTO {table_name} ({", ".join(columns)})
            SELECT {", ".join(values)} FROM numbers, {table_name}
            WHERE id BETWEEN {first} AND {first + count - 1} ORDER BY n, id
            """
        )
        if connection.vendor == "postgresql":
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table_name}', 'id'), max(id))"
                f" FROM {table_name}"
            )


@contextlib.contextmanager
def timed() -> Iterator[list[float]]:
    """Seconds that the block took, in a list that is filled when it ends."""
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


def peak_memory() -> float:
    """The most memory this process held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns."""
    texts = [list(map(str, header)), *[[_text(cell) for cell in row] for row in rows]]
    widths = [max(len(row[number]) for row in texts) for number in range(len(header))]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def _text(cell: Any) -> str:
    return (
        f"{cell:,.2f}"
        if isinstance(cell, float)
        else f"{cell:,}"
        if isinstance(cell, int)
        else str(cell)
    )


def result(name: str, ratio: float, target: float, **measured: Any) -> None:
    """Print the last line: what was measured, as JSON."""
    print(json.dumps({"name": name, "ratio": round(ratio, 2), "target": target, **measured}))
