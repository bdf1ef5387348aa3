"""`make test`: the whole suite on SQLite and on PostgreSQL."""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from tests.servers import PostgresCluster, postgres_binaries

# A test run must not touch the house that runs beside it, nor be led astray by its settings.
NEUTRAL = {"DATABASE_URL": "", "REDIS_URL": "", "EMAIL_URL": "", "BASE_URL": "", "DEBUG": "false"}


def main() -> int:
    """Run what was asked for, and say at the end how each run went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["both", "sqlite", "postgres"], default="both")
    options, arguments = parser.parse_known_args()
    results = {}
    if options.db in ("both", "sqlite"):
        results["SQLite"] = on_sqlite(arguments)
    if options.db in ("both", "postgres"):
        results["PostgreSQL"] = on_postgres(arguments)
    print("\n" + "═" * 72)
    for name, (result, _) in results.items():
        print(f"  {name:10}  {result}")
    print("═" * 72)
    return max(status for _, status in results.values())


def on_sqlite(arguments: list[str]) -> tuple[str, int]:
    """Run the suite on SQLite."""
    return run("SQLite", "", arguments)


def on_postgres(arguments: list[str]) -> tuple[str, int]:
    """Run the suite on a throwaway PostgreSQL. In CI it is an error when there is none."""
    binaries = postgres_binaries()
    if binaries is None:
        in_ci = os.environ.get("CI") == "true"
        return (
            "NOT RUN: no PostgreSQL server here. On Debian: apt-get install postgresql",
            1 if in_ci else 0,
        )
    cluster = PostgresCluster(binaries)
    try:
        return run("PostgreSQL", cluster.url, arguments)
    finally:
        cluster.stop()


def run(name: str, database_url: str, arguments: list[str]) -> tuple[str, int]:
    """Run pytest once; return a line about it and its status."""
    print(f"\n════ {name} {'═' * (66 - len(name))}", flush=True)
    if not any(argument.startswith(("-n", "--pdb", "--numprocesses")) for argument in arguments):
        # The slowest come first (tests/conftest.py), and who is done early takes over the rest.
        # One more than there are processors, since some tests wait for others' work.
        runners = min((os.cpu_count() or 1) + 1, 8)
        arguments = ["-n", str(runners), "--dist", "worksteal", *arguments]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="journeys-test-") as var:
        status = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            env={**os.environ, **NEUTRAL, "VAR_DIR": var, "DATABASE_URL": database_url},
        ).returncode
    seconds = time.monotonic() - started
    return f"{'passed' if status == 0 else 'FAILED'} in {seconds:.0f} s", status


if __name__ == "__main__":
    sys.exit(main())
