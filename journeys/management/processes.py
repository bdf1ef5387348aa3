"""Child processes that are kept running: what `make run` and `manage.py worker` share."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Self

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(with_signal: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent ends, however it ends.

    Only Linux offers this; elsewhere a child may outlive a parent that was killed outright.
    """
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, with_signal)


def _following(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return prepare


@dataclass
class Child:
    """A command that runs for as long as its supervisor does."""

    name: str
    argv: list[str]
    last: bool = False  # ends after all others, because they still need it while they end
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    failures: int = 0

    def is_running(self) -> bool:
        """Say whether the command has not ended yet."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the command and all that it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """Keep children running until a signal says stop; then end them and leave nothing behind.

    Each child leads a process group of its own, so that a Ctrl-C in the terminal reaches the
    supervisor alone and the children end in order.
    """

    GRACE = 10.0
    LONGEST_PAUSE = 30.0

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.stop_requests = 0

    def say(self, text: str) -> None:
        """Tell the reader of the terminal something."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def popen_options(self) -> dict[str, Any]:
        """Return where the children's output goes: by default to our own."""
        return {}

    def add(self, name: str, argv: list[str], *, last: bool = False) -> Child:
        """Start a child and keep it running."""
        child = Child(name, argv, last)
        self.children.append(child)
        self.start(child)
        return child

    def start(self, child: Child) -> None:
        """Start a child's process."""
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(
            child.argv,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_following(os.getpid()),  # safe: there are no threads here
            **self.popen_options(),
        )

    def __enter__(self) -> Self:
        """From now on Ctrl-C, SIGTERM and SIGHUP ask for a stop; a second one for a quick stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request_stop)
        return self

    def __exit__(self, *exception: object) -> None:
        """End all children: those that others need last."""
        for last in (False, True):
            self._stop([child for child in self.children if child.process and child.last is last])

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1

    def run(self) -> None:
        """Keep the children running until a stop is asked for."""
        while not self.stop_requests:
            self.look_after_children()
            self.pause(0.2)

    def look_after_children(self) -> None:
        """Start what has ended again, after a pause that grows while it keeps ending."""
        for child in self.children:
            if child.process is None:
                if time.monotonic() >= child.restart_at:
                    self.start(child)
            elif (status := child.process.poll()) is not None:
                self._plan_restart(child, status)

    def _plan_restart(self, child: Child, status: int) -> None:
        child.signal(signal.SIGKILL)  # whatever its process left behind
        child.process = None
        lived = time.monotonic() - child.started_at
        child.failures = 1 if lived > 2 * self.LONGEST_PAUSE else child.failures + 1
        pause = min(self.LONGEST_PAUSE, 2.0 ** (child.failures - 1))
        child.restart_at = time.monotonic() + pause
        reason = f"signal {-status}" if status < 0 else f"status {status}"
        self.say(f"{child.name} ended with {reason} and starts again in {pause:.0f} s.")

    def _stop(self, children: list[Child]) -> None:
        requests = self.stop_requests
        deadline = time.monotonic() + self.GRACE
        for child in children:
            child.signal(signal.SIGTERM)
        while running := [
            child for child in children if child.process and child.process.poll() is None
        ]:
            if time.monotonic() > deadline or self.stop_requests > requests:
                self.say(f"Not ended in time, so killed: {', '.join(c.name for c in running)}.")
                break
            self.pause(0.05)
        for child in children:
            child.signal(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
                child.process = None
