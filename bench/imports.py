"""A CSV import against a bare ``bulk_create`` of the same rows, on PostgreSQL and SQLite.

    python bench/imports.py [--quick]

Contacts with ten attributes. The import also reads the file, looks for each contact, checks each
cell, writes the engine's facts, the catalogue and what is needed to undo it; ``bulk_create`` is
given the values. The smaller ratio of the two databases counts.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run by its path

from bench.house import anew, house, peak_memory, result, table, timed

TARGET = 0.5
NAMES = [f"attribute_{number}" for number in range(10)]


def row(number: int, chance: random.Random) -> list[str]:
    """One contact's cells."""
    texts = [f"value {chance.randrange(1000)}" for _ in NAMES[2:]]
    date = f"2026-0{chance.randrange(1, 9)}-1{number % 9}"
    return [f"u{number}", f"u{number}@example.com", *texts, str(number % 50), date]


def write(file: Path, count: int) -> None:
    """The CSV file."""
    chance = random.Random(1)
    with file.open("w") as lines:
        lines.write(",".join(["external_id", "email", *NAMES]) + "\n")
        for number in range(count):
            lines.write(",".join(row(number, chance)) + "\n")


def bare(count: int) -> float:
    """Seconds that ``bulk_create`` takes for the same contacts, a thousand in a transaction."""
    from django.db import transaction

    from contacts.models import Contact

    chance = random.Random(1)
    rows = [row(number, chance) for number in range(count)]
    with timed() as seconds:
        for start in range(0, count, 1000):
            with transaction.atomic():
                Contact.objects.bulk_create(
                    Contact(
                        external_id=cells[0],
                        email=cells[1],
                        attributes=dict(zip(NAMES, cells[2:], strict=True)),
                    )
                    for cells in rows[start : start + 1000]
                )
    clear()
    return seconds[0]


def clear() -> None:
    """An empty installation again, in statements: Django would load each row to delete it."""
    from django.db import connection

    from contacts.models import Contact, Fact

    tables = [model._meta.db_table for model in (Fact, Contact)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        else:
            for table_name in tables:
                cursor.execute(f"DELETE FROM {table_name}")


def imported(file: Path, count: int) -> tuple[float, float]:
    """Seconds that the import takes, from the file to the report, and the process's peak in MB."""
    from contacts.imports import running
    from contacts.models import Contact, Fact

    running.nudge = lambda: None
    with timed() as seconds, file.open("rb") as lines:
        source = running.prepare(lines, "people.csv")
        running.start(source)
        running.run(source)
    peak = peak_memory()  # before SQLite maps the whole file into memory to count its rows
    if source.created != count or Contact.objects.count() != count:
        raise AssertionError(f"{source.created:,} of {count:,} came in: {source.error}")
    if Fact.objects.count() != count:
        raise AssertionError("There is not one fact for each contact.")
    return seconds[0], peak


def on(database: str, count: int, rounds: int) -> None:
    """Measure on one database, both ways by turns; prints JSON."""
    with tempfile.TemporaryDirectory() as folder, house(database):
        file = Path(folder) / "people.csv"
        write(file, count)
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(bare(count))
            ours.append(imported(file, count)[0])
            clear()
    print(json.dumps({"ours": min(ours), "bare": min(theirs)}))


def memory(count: int) -> None:
    """Import once, in a process that does nothing else; prints the most memory it held, in MB."""
    with tempfile.TemporaryDirectory() as folder, house("sqlite"):
        file = Path(folder) / "people.csv"
        write(file, count)
        before = peak_memory()
        _, peak = imported(file, count)
    print(json.dumps({"before": before, "peak": peak}))


def main() -> None:
    """Measure on both databases, and the memory of a large file."""
    quick = "--quick" in sys.argv
    count, rounds, large = (5_000, 2, 20_000) if quick else (100_000, 2, 1_000_000)
    found = {name: anew("imports", name, count, rounds) for name in ("postgresql", "sqlite")}
    peak = anew("imports", "memory", large)
    rows = [
        (
            name,
            count,
            count / figures["bare"],
            count / figures["ours"],
            figures["bare"] / figures["ours"],
        )
        for name, figures in found.items()
    ]
    table(("database", "rows", "bulk_create rows/s", "import rows/s", "ratio"), rows)
    print(f"memory: {peak['peak']:.0f} MB for {large:,} rows ({peak['before']:.0f} MB before)")
    result(
        "imports",
        min(cells[-1] for cells in rows),
        TARGET,
        peak_memory_mb=round(peak["peak"]),
        rows_in_memory_run=large,
        **{f"{cells[0]}_rows_per_second": round(cells[3]) for cells in rows},
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "memory":
        memory(int(sys.argv[2]))
    elif len(sys.argv) > 3:
        on(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
