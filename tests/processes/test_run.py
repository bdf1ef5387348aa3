"""`make run` starts everything, keeps it running, and leaves nothing behind."""

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes.conftest import House, gone
from tests.servers import RedisServer, wait_for

pytestmark = pytest.mark.processes
Start = Callable[..., House]


def test_it_serves_the_admin_by_all_its_processes(house: House) -> None:
    assert "Journeys" in house.get("/admin/login/")
    commands = [" ".join(process.cmdline()) for process in house.processes()]
    for part in ("redis-server", "gunicorn", "worker facts", "worker messages", "worker bulk"):
        assert any(part in command for command in commands), part


def test_the_box_names_a_user_that_can_sign_in(house: House) -> None:
    name, password = (house.var_dir / "admin.txt").read_text().split()
    assert f"{name}   password: {password}" in house.wait_for_line("Sign in")
    assert (house.var_dir / "admin.txt").stat().st_mode & 0o777 == 0o600
    assert (
        house.query(f"User.objects.get(username={name!r}).check_password({password!r})") == "True"
    )


def test_a_killed_process_starts_again(house: House) -> None:
    worker = house.process_of("worker", "facts")
    worker.kill()
    house.wait_for_line("facts ended with signal 9 and starts again in 1 s.")
    again = wait_for(
        lambda: (found := house.process_of("worker", "facts")).pid != worker.pid and found
    )
    assert again.is_running()


def test_two_houses_in_one_folder_are_refused(house: House, start_house: Start) -> None:
    second = start_house(wait=False, VAR_DIR=str(house.var_dir))
    assert second.process.wait(60) == 1
    assert "already runs" in second.log


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's death")
def test_it_ends_whole_and_a_second_start_keeps_the_data(start_house: Start) -> None:
    """Ctrl-C leaves no process behind, and neither does a kill; nothing is collected again."""
    house = start_house()
    password = (house.var_dir / "admin.txt").read_text()
    processes = house.processes()
    assert house.stop(signal.SIGINT) == 0
    assert gone(processes)
    house.lines.clear()
    house.start()
    house.wait_until_up()
    assert (house.var_dir / "admin.txt").read_text() == password
    assert "Collecting static files" not in house.log
    processes = house.processes()
    house.stop(signal.SIGKILL)
    wait_for(lambda: gone(processes), 30, "the children's end")


def test_a_taken_port_is_said_clearly(start_house: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        house = start_house(wait=False, PORT=str(port))
        assert house.process.wait(60) == 1
        assert f"make run PORT={port + 1}" in house.wait_for_line(f"Port {port} can't be used")


def test_a_named_redis_is_used_instead_of_the_bundled_one(
    start_house: Start, redis_process: RedisServer
) -> None:
    redis_process.client.flushall()
    house = start_house(REDIS_URL=redis_process.url)
    assert not any("redis-server" in process.name() for process in house.processes())
    wait_for(lambda: redis_process.client.scard("rq:workers") == 3, what="three workers")


def test_a_long_folder_still_has_a_socket(start_house: Start, tmp_path: Path) -> None:
    house = start_house(VAR_DIR=str(tmp_path / ("long" * 30)))
    socket_path = Path((house.var_dir / "redis_socket").read_text().strip())
    assert socket_path.is_socket()
    assert socket_path.parent.stat().st_mode & 0o777 == 0o700
