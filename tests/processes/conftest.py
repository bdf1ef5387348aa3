"""The real processes, started as `make run` starts them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings

from journeys.management.processes import die_with_parent
from tests.servers import free_port, fresh_database, wait_for


class House:
    """A running house: its address, its folder, its log and its processes."""

    def __init__(self, var_dir: Path, **environment: str) -> None:
        self.var_dir = var_dir
        self.port = int(environment.pop("PORT", "") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            **dict.fromkeys(("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "BASE_URL"), ""),
            "PORT": str(self.port),
            "VAR_DIR": str(var_dir),
            "DEMO": "false",
            **environment,
        }
        self.lines: list[str] = []
        self.console: subprocess.Popen[str] | None = None
        self.start()

    # Its life

    def start(self) -> None:
        """Start it; `wait_until_up` says when it is there."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "journeys_project.run"],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in iter(self.process.stdout.readline, ""))

    def wait_until_up(self, seconds: float = 300) -> None:
        """Return when the box with the address has been printed."""
        self.wait_for_line("Journeys is running", seconds)

    def wait_for_line(self, text: str, seconds: float = 60) -> str:
        """Return the first line of the log that holds `text`."""

        def look() -> str | None:
            if found := next((line for line in self.lines if text in line), None):
                return found
            assert self.process.poll() is None or self.reader.is_alive(), self.log
            return None

        try:
            return str(wait_for(look, seconds, f"“{text}” in the log"))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def stop(self, with_signal: int = signal.SIGINT, seconds: float = 60) -> int:
        """End it as Ctrl-C does, and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        status = self.process.wait(seconds)
        self.reader.join(5)
        if self.console is not None:
            self.console.communicate(timeout=30)
            self.console = None
        return status

    # What it shows

    @property
    def log(self) -> str:
        """All it has printed."""
        return "\n".join(self.lines)

    @property
    def outbox(self) -> list[Path]:
        """The mails it has written, oldest first."""
        return sorted((self.var_dir / "outbox").glob("*.eml"), key=lambda f: f.stat().st_mtime_ns)

    def get(self, path: str) -> str:
        """Return a page."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def manage(self, *arguments: str) -> str:
        """Run a management command in this house and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def query(self, expression: str) -> str:
        """Return what a Python expression gives inside this house, as text.

        `query("Contact.objects.count()")`: all models are at hand.
        """
        if self.console is None:
            self.console = subprocess.Popen(
                [sys.executable, "-m", "tests.processes.console"],
                cwd=settings.BASE_DIR,
                env={**self.environment, "DJANGO_SETTINGS_MODULE": "journeys_project.settings"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=die_with_parent,
            )
        assert self.console.stdin is not None
        assert self.console.stdout is not None
        print(json.dumps(expression), file=self.console.stdin, flush=True)
        answer = json.loads(self.console.stdout.readline())
        assert "error" not in answer, f"{expression}: {answer['error']}"
        return str(answer["value"])

    def wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Return when a condition on what `query` gives holds. The house needs the processor
        itself, so it is asked twice a second.
        """
        wait_for(condition, seconds, what, every=0.5)

    def processes(self) -> list[psutil.Process]:
        """Return all its processes, itself first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def process_of(self, *words: str) -> psutil.Process:
        """Return the first process whose command line holds all words, e.g. `worker`, `facts`."""

        def look() -> psutil.Process | None:
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if set(words) <= set(process.cmdline()):
                        return process
            return None

        found: psutil.Process = wait_for(look, what=f"a process {words}")
        return found


def gone(processes: list[psutil.Process]) -> bool:
    """Say whether none of the processes runs any more."""
    return not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes
    )


@contextlib.contextmanager
def empty_database() -> Iterator[str]:
    """An empty database of the kind that this run tests; nothing means SQLite in VAR_DIR."""
    if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        yield ""
        return
    with fresh_database(os.environ["DATABASE_URL"]) as url:
        yield url


@contextlib.contextmanager
def houses(folder: Path, static_files: Path) -> Iterator[Callable[..., House]]:
    """Start houses with folders in `folder`, on one empty database; end them all at the end."""
    started: list[House] = []

    def start(*, wait: bool = True, **environment: Any) -> House:
        environment.setdefault("VAR_DIR", str(folder / f"var{len(started)}"))
        environment.setdefault("DATABASE_URL", database_url)
        var_dir = Path(environment.pop("VAR_DIR"))
        if wait and static_files.exists():
            shutil.copytree(static_files, var_dir / "static", dirs_exist_ok=True)
        house = House(var_dir, **environment)
        started.append(house)
        if wait:
            house.wait_until_up()
            if not static_files.exists():
                shutil.copytree(var_dir / "static", static_files)
        return house

    with empty_database() as database_url:
        try:
            yield start
        finally:
            left = [process for house in started for process in house.processes()]
            for house in started:
                house.stop()
            psutil.wait_procs(left, timeout=30)
            assert gone(left), left


@pytest.fixture(scope="session")
def static_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first house's static files are kept for the others: collecting takes seconds."""
    return tmp_path_factory.mktemp("collected") / "static"


@pytest.fixture
def start_house(tmp_path: Path, static_files: Path) -> Iterator[Callable[..., House]]:
    """Start a house: `start_house(REDIS_URL=…, EMAIL_URL=…, DEMO="true")`. It is up on return.

    With `wait=False` it returns at once. Everything is stopped when the test ends.
    """
    with houses(tmp_path, static_files) as start:
        yield start


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, static_files: Path) -> Iterator[House]:
    """A running house for all tests of a module that leave it running."""
    with houses(tmp_path_factory.mktemp("house"), static_files) as start:
        yield start()
