"""The house itself: settings, sign-in, headers, logs, workers and the processes that hold it up."""

import logging
import os
import signal
import smtplib
import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import django_rq
import psutil
import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest, ImproperlyConfigured
from django.db import DataError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.formats import localize
from django.views.defaults import server_error
from redis.exceptions import RedisError

from contacts.admin import shown
from journeys import timing
from journeys.management.commands.worker import QueueWorker, SimpleQueueWorker
from journeys_project.fit import FitText
from journeys_project.logs import LineFormatter
from journeys_project.navigation import sidebar
from journeys_project.run import House, Lines, box
from journeys_project.settings import kept, mail_settings
from tests.servers import HANG_UP, RedisServer, SmtpSink, wait_for

MANAGE = [sys.executable, "manage.py"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=django_settings.BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


# Settings


def test_without_an_email_url_mail_becomes_files() -> None:
    assert mail_settings("") == {"EMAIL_BACKEND": "messaging.backends.EmlBackend"}


@pytest.mark.parametrize(
    ("url", "port", "encryption"),
    [
        ("smtp://ann:s%40fe@mail.example.com", 25, None),
        ("smtp+tls://ann:s%40fe@mail.example.com", 587, "EMAIL_USE_TLS"),
        ("smtp+ssl://ann:s%40fe@mail.example.com", 465, "EMAIL_USE_SSL"),
        ("smtp+tls://ann:s%40fe@mail.example.com:2525", 2525, "EMAIL_USE_TLS"),
    ],
)
def test_smtp_urls(url: str, port: int, encryption: str | None) -> None:
    found = mail_settings(url)
    assert found["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert found["EMAIL_HOST"] == "mail.example.com"
    assert found["EMAIL_HOST_PASSWORD"] == "s@fe"
    assert found["EMAIL_PORT"] == port
    assert {name for name in found if name.startswith("EMAIL_USE")} == {encryption} - {None}


def test_a_provider_is_named_in_the_url() -> None:
    backend = {"EMAIL_BACKEND": "anymail.backends.amazon_ses.EmailBackend"}
    assert mail_settings("anymail+amazon-ses://") == backend


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="“pigeon”"):
        mail_settings("anymail+pigeon://")


def test_keys_of_providers_come_from_the_environment(tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.ANYMAIL['POSTMARK_SERVER_TOKEN'])"
    done = run(
        *(*MANAGE, "shell", "--verbosity=0", "-c", code),
        ANYMAIL_POSTMARK_SERVER_TOKEN="t0ken",
        VAR_DIR=str(tmp_path),
    )
    assert done.stdout.strip() == "t0ken", done.stderr


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert kept(path, lambda: "first") == "first"
    assert kept(path, lambda: "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_deployment_on_https_has_no_warnings(tmp_path: Path) -> None:
    done = run(
        *(*MANAGE, "check", "--deploy", "--fail-level", "WARNING"),
        BASE_URL="https://journeys.example.com",
        VAR_DIR=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr


# Sign-in and headers


@pytest.mark.django_db
def test_who_signs_in_comes_to_the_overview(client: Client, admin_user: Any) -> None:
    """Also where the page to sign in was opened by itself, without a page to go on to."""
    right = {"username": "admin", "password": "password"}
    answer = client.post(reverse("admin:login"), right)
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


def test_dates_are_written_alike_everywhere() -> None:
    moment = datetime(2026, 3, 1, 17, 5, tzinfo=UTC)
    assert localize(moment) == shown.moment(moment) == timing.plain(moment) == "1 Mar 2026, 17:05"
    assert localize(moment.date()) == shown.day(moment) == "1 Mar 2026"


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=59), "moment"),
        (timedelta(minutes=5, seconds=20), "5 minutes"),
        (timedelta(minutes=59, seconds=50), "1 hour"),
        (timedelta(hours=3, minutes=20), "3 hours 20 minutes"),
        (timedelta(hours=23, minutes=59, seconds=50), "1 day"),
        (timedelta(days=1, hours=23, minutes=59), "2 days"),
        (timedelta(days=1, hours=22, minutes=10), "1 day 22 hours"),
        (timedelta(days=9, hours=23, minutes=50), "10 days"),
        (timedelta(days=41, hours=13), "42 days"),
    ],
)
def test_how_far_off_a_time_is(distance: timedelta, words: str) -> None:
    now = datetime(2026, 3, 1, 17, 5, tzinfo=UTC)
    moment = words == "moment"
    assert timing.ago(now + distance, now) == ("in a moment" if moment else f"in {words}")
    assert timing.ago(now - distance, now) == ("just now" if moment else f"{words} ago")


@pytest.mark.django_db
def test_ten_wrong_passwords_lock_the_user_out(
    client: Client, settings: Any, admin_user: Any
) -> None:
    settings.AXES_ENABLED = True
    wrong = {"username": admin_user.username, "password": "wrong"}
    answers = [client.post(reverse("admin:login"), wrong).status_code for _ in range(10)]
    assert answers == [200] * 9 + [429]
    right = {"username": admin_user.username, "password": "password"}
    answer = client.post(reverse("admin:login"), right)
    assert answer.status_code == 429
    assert "for 15 minutes." in answer.text
    assert f'href="{reverse("admin:login")}"' in answer.text
    assert "nav-sidebar" not in answer.text


@pytest.mark.usefixtures("groups")
def test_an_owner_lets_in_again_who_is_locked_out(
    client: Client, settings: Any, admin_user: Any, django_user_model: Any
) -> None:
    settings.AXES_ENABLED = True
    wrong = {"username": admin_user.username, "password": "wrong"}
    answers = [client.post(reverse("admin:login"), wrong).status_code for _ in range(10)]
    assert answers[-1] == 429
    owner = django_user_model.objects.create_user("o", is_staff=True)
    owner.groups.add(Group.objects.get(name="Owner"))
    settings.AXES_ENABLED = False  # the test client signs in without a request
    other = Client()
    other.force_login(owner)
    settings.AXES_ENABLED = True
    page = reverse("admin:axes_accessattempt_changelist")
    assert page in other.get(reverse("admin:index")).text
    attempt = AccessAttempt.objects.get()
    chosen = {"action": "delete_selected", "_selected_action": attempt.pk, "post": "yes"}
    assert other.post(page, chosen).status_code == 302
    right = {"username": admin_user.username, "password": "password"}
    assert client.post(reverse("admin:login"), right).status_code == 302


def test_axes_own_cleaning_is_not_offered(admin_client: Client) -> None:
    AccessAttempt.objects.create(username="ann", failures_since_start=3, path_info="/admin/login/")
    page = reverse("admin:axes_accessattempt_changelist")
    assert "delete_selected" in (text := admin_client.get(page).text)
    assert "cleanup_expired_attempts" not in text


class Scripts(HTMLParser):
    """Collects what the policy forbids: scripts inside the page, and handlers in attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.inline.append(tag)
        self.inline.extend(name for name in names if name.startswith("on"))


@pytest.mark.parametrize("name", ["index", "auth_user_changelist", "auth_user_add"])
def test_pages_need_no_inline_script(admin_client: Client, name: str) -> None:
    answer = admin_client.get(reverse(f"admin:{name}"))
    policy = dict(
        part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";")
    )
    assert policy["script-src"] == "'self' 'unsafe-eval'"
    assert policy["frame-ancestors"] == "'none'"
    scripts = Scripts()
    scripts.feed(answer.content.decode())
    assert scripts.inline == []


def test_the_dashboard_of_rq_is_not_served(admin_client: Client) -> None:
    assert admin_client.get("/admin/django_rq/dashboard/").status_code == 404


def test_the_sidebar_shows_what_its_reader_may_see(
    rf: Any, admin_user: Any, django_user_model: Any
) -> None:
    request = rf.get("/admin/")
    request.user = admin_user
    titles = {link["title"] for group in sidebar(request) for link in group["items"]}
    assert {"Users", "Groups"} <= titles
    request.user = django_user_model.objects.create_user("eve", is_staff=True)
    assert sidebar(request) == []


# Instead of a page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("/admin/auth/user/", 403, "Your account may not see or do this."),
        ("/admin/nowhere/", 404, "There is nothing at this address."),
    ],
)
def test_a_page_that_is_not_for_somebody_says_so_and_leads_back(
    client: Client, django_user_model: Any, address: str, status: int, sentence: str
) -> None:
    client.force_login(django_user_model.objects.create_user("s", is_staff=True))
    answer = client.get(address)
    assert answer.status_code == status
    assert sentence in answer.text
    assert "nav-sidebar" in answer.text
    assert f'href="{reverse("admin:index")}"' in answer.text


LARGE = "9" * 30


@pytest.mark.parametrize("unfit", ["abc", LARGE])
@pytest.mark.parametrize(
    ("model", "action"),
    [
        ("auth_user", "delete_selected"),
        ("auth_group", "delete_selected"),
        ("contacts_contact", "choose_segment"),
        ("contacts_contact", "export_csv"),
        ("contacts_segment", "delete_selected"),
        ("messaging_topic", "delete_selected"),
    ],
)
def test_chosen_rows_that_no_number_names_are_refused(
    admin_client: Client, caplog: pytest.LogCaptureFixture, model: str, action: str, unfit: str
) -> None:
    chosen = {"action": action, "_selected_action": unfit}
    answer = admin_client.post(reverse(f"admin:{model}_changelist"), chosen)
    if connection.vendor == "postgresql" and unfit == LARGE:
        assert answer.status_code in (200, 302)  # it compares with any number, and finds nobody
        return
    assert answer.status_code == 400
    assert "a number that is none or too large" in answer.text
    assert [one.levelname for one in caplog.records if one.name == "django.request"] == ["WARNING"]


@pytest.mark.parametrize(
    ("page", "sent"),
    [
        ("auth/group/add/", {"name": "x", "permissions": LARGE}),
        ("auth/user/{user}/change/", {"username": "x", "groups": LARGE}),
    ],
)
def test_a_form_with_a_number_that_no_database_keeps_is_no_error_of_ours(
    admin_client: Client, admin_user: Any, page: str, sent: dict[str, str]
) -> None:
    answer = admin_client.post(f"/admin/{page.format(user=admin_user.pk)}", sent)
    assert answer.status_code == (200 if connection.vendor == "postgresql" else 400)


@pytest.mark.parametrize("year", ["10000", "9" * 10, LARGE])
def test_a_year_that_there_is_not_is_no_error_of_ours(admin_client: Client, year: str) -> None:
    address = reverse("admin:axes_accesslog_changelist")
    assert admin_client.get(address, {"logout_time__year": year}).status_code == 400


@pytest.mark.parametrize(
    ("path", "error", "ours"),
    [
        ("/admin/", ValueError("Field 'id' expected a number but got 'abc'."), False),
        ("/admin/", OverflowError("Python int too large to convert to SQLite INTEGER"), False),
        ("/v1/track", OverflowError("Python int too large to convert to SQLite INTEGER"), True),
        ("/admin/", OverflowError("math range error"), True),
        ("/admin/", ValueError("not enough values to unpack"), True),
        ("/admin/", DataError("value too long for type character varying(150)"), True),
    ],
)
def test_only_numbers_that_were_sent_to_the_admin_are_refused(
    path: str, error: Exception, ours: bool
) -> None:
    looked_at = FitText(lambda request: HttpResponse()).process_exception
    with nullcontext() if ours else pytest.raises(BadRequest):
        looked_at(RequestFactory().get(path), error)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite refuses it by itself")
def test_a_number_out_of_postgresqls_range_is_no_error_of_ours() -> None:
    with pytest.raises(DataError) as caught, connection.cursor() as cursor:
        cursor.execute("SELECT %s::bigint", [LARGE])
    with pytest.raises(BadRequest):
        FitText(lambda request: HttpResponse()).process_exception(
            RequestFactory().get("/admin/"), caught.value
        )


def test_there_is_no_way_from_a_row_to_a_page_on_the_site(admin_client: Client) -> None:
    kinds = ContentType.objects.values_list("pk", flat=True)
    assert {admin_client.get(f"/admin/r/{pk}/1/").status_code for pk in kinds} == {404}


@pytest.mark.django_db
def test_whoever_comes_by_a_broken_link_sees_no_admin(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text
    assert reverse("admin:index") not in answer.text


def test_the_page_after_an_error_needs_no_database() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()


# Logs


def test_a_record_is_one_line_without_addresses() -> None:
    try:
        raise ValueError("ann@example.com\nsecond line")
    except ValueError:
        record = logging.LogRecord(
            *(
                "x",
                logging.ERROR,
                "f",
                1,
                "GET /customers/ann.b%40example.com/?a=1",
                (),
                sys.exc_info(),
            )
        )
    line = LineFormatter("%(levelname)s %(message)s").format(record)
    assert "\n" not in line
    assert "example.com" not in line
    assert "ValueError: <address> ⏎ second line" in line
    assert "/customers/<address>/?a=1" in line


def test_output_of_children_is_cut_into_lines() -> None:
    lines = Lines("web")
    assert list(lines.feed(b"one\ntw")) == ["one"]
    assert list(lines.feed(b"o\nthree")) == ["two"]
    assert list(lines.feed(b"")) == ["three"]


def test_the_box_is_as_wide_as_its_longest_line() -> None:
    lines = list(box("Title", [("A", "short"), ("B", "a longer line")]))
    assert len({len(line) for line in lines}) == 1


# The runner


def test_without_any_redis_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.REDIS_IS_BUNDLED = True
    monkeypatch.setattr("journeys_project.run.redis_server", lambda: None)
    assert House().start_redis() is False
    assert "install redis-server or valkey-server" in capsys.readouterr().out


# Workers


@pytest.mark.parametrize("flags", [[], ["--simple"]])
def test_a_worker_does_the_jobs_of_its_queue(
    redis_server: RedisServer, tmp_path: Path, flags: list[str]
) -> None:
    for name in ("facts", "bulk"):
        django_rq.get_queue(name).enqueue("os.mkdir", str(tmp_path / name))
    done = run(
        *(*MANAGE, "worker", "facts", "--burst", *flags),
        REDIS_URL=redis_server.url,
        VAR_DIR=str(tmp_path / "var"),
        DATABASE_URL="",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "facts").is_dir()
    assert not (tmp_path / "bulk").exists()


def test_a_redis_that_hangs_holds_nobody_up_for_long(redis_server: RedisServer) -> None:
    redis_server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(RedisError):
            django_rq.get_queue("facts").enqueue("time.sleep", 0)
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    assert time.monotonic() - started < 30  # of endless seconds


@pytest.mark.parametrize("worker_class", [QueueWorker, SimpleQueueWorker])
def test_workers_notice_trouble_within_a_minute(
    redis_server: RedisServer, worker_class: type
) -> None:
    queue = django_rq.get_queue("facts")
    worker = worker_class([queue], connection=queue.connection)
    assert (worker.maintenance_interval, worker.job_monitoring_interval) == (30, 10)
    assert worker.worker_ttl == 60
    assert not worker.log_job_description


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's death")
def test_a_killed_worker_takes_its_job_and_scheduler_along(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    django_rq.get_queue("facts").enqueue("time.sleep", 60)
    worker = subprocess.Popen(
        [*MANAGE, "worker", "facts"],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, "REDIS_URL": redis_server.url, "VAR_DIR": str(tmp_path)},
    )
    children = wait_for(
        lambda: len(found := psutil.Process(worker.pid).children()) == 2 and found,
        what="the scheduler and the job",
    )
    worker.kill()
    worker.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_workers_for_all_queues_stop_together(redis_server: RedisServer, tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [*MANAGE, "worker", "--simple"],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, "REDIS_URL": redis_server.url, "VAR_DIR": str(tmp_path)},
    )
    wait_for(lambda: redis_server.client.scard("rq:workers") == 3, what="three workers")
    processes = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive


# The supervisor

SUPERVISE = """
import sys
from journeys.management.processes import Supervisor
Supervisor.GRACE = 1.0
with Supervisor() as supervisor:
    for number, script in enumerate(sys.argv[1:]):
        supervisor.add(f"child{number}", ["bash", "-c", script])
    supervisor.run()
"""


def supervise(*scripts: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, *scripts],
        cwd=django_settings.BASE_DIR,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_ends_starts_again(tmp_path: Path) -> None:
    supervisor = supervise(f"echo . >> {tmp_path}/starts; exit 3")
    starts = tmp_path / "starts"
    wait_for(lambda: starts.exists() and len(starts.read_text().split()) >= 2, what="a restart")
    supervisor.terminate()
    _, errors = supervisor.communicate(timeout=60)
    assert "child0 ended with status 3 and starts again in 1 s." in errors


def test_what_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    stubborn = f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/pid; wait; sleep 600"
    supervisor = supervise(stubborn)
    pid = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    supervisor.terminate()
    _, errors = supervisor.communicate(timeout=60)
    assert "Not ended in time, so killed: child0." in errors
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# The servers that other tests lean on


def test_the_mail_receiver_refuses_and_hangs_up_as_told(smtp_sink: SmtpSink) -> None:
    smtp_sink.answer("RCPT", "550 No such user", to="gone@example.com")
    smtp_sink.answer("DATA", HANG_UP, times=1)

    def send(to: str) -> None:
        with smtplib.SMTP("127.0.0.1", smtp_sink.port, timeout=30) as client:
            client.sendmail("us@example.com", [to], "Subject: Hello\r\n\r\nBody")

    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send("gone@example.com")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send("ann@example.com")
    send("ann@example.com")
    assert len(smtp_sink.received) == 2
    assert [message["Subject"] for message in smtp_sink.messages] == ["Hello"]
