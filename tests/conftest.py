"""What every test may ask for: a clean house, real servers, a real browser."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.cache import cache

from tests.servers import RedisServer, SmtpSink

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# How long an example takes says how busy the machine is, and nothing about what is tested.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a VAR_DIR of its own, whatever the environment says."""
    var = Path(tempfile.mkdtemp(prefix="journeys-tests-"))
    config.stash[VAR_DIR] = var
    for name in ("outbox", "uploads", "static"):
        (var / name).mkdir()
    django_settings.VAR_DIR = var
    django_settings.OUTBOX_DIR = var / "outbox"
    django_settings.MEDIA_ROOT = var / "uploads"
    django_settings.STATIC_ROOT = var / "static"
    django_settings.STORAGES["staticfiles"] = {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
    }
    _point_redis_at(django_settings, f"unix://{var}/no-redis.sock")
    database = django_settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # A file, as in use: an in-memory database has other rules about who waits for whom.
        database.setdefault("TEST", {})["NAME"] = str(var / "test.sqlite3")
    # A thread of the live server that kept its connection would keep the database in use.
    database["CONN_MAX_AGE"] = 0
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django_settings.AXES_ENABLED = False  # the test client signs in without a request


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for real processes, so that the rest fills their time. Each of
    the runners, which take an equal part of the list each, begins with some of them.
    """
    runners = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("processes")]
    rest = [item for item in items if not item.get_closest_marker("processes")]
    modules = list(dict.fromkeys(item.path for item in slow))
    count = len(items)
    items.clear()
    for runner in range(runners):
        items += [item for item in slow if modules.index(item.path) % runners == runner]
        more = max(0, count * (runner + 1) // runners - len(items))
        items += rest[:more]
        del rest[:more]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run wrote."""
    shutil.rmtree(config.stash[VAR_DIR], ignore_errors=True)


VAR_DIR = pytest.StashKey[Path]()


def _point_redis_at(settings: Any, url: str) -> None:
    settings.REDIS_URL = url
    settings.RQ_QUEUES = {
        name: {**queue, "URL": f"{url}?{settings.IMPATIENT}"}
        for name, queue in django_settings.RQ_QUEUES.items()
    }


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Forget what the process remembers: the next test's rows may have the same ids."""
    from contacts import catalogue, limits
    from journeys import plans

    plans.forget()
    catalogue.forget()
    limits.listen_again()
    cache.clear()


@pytest.fixture
def groups(db: None) -> None:
    """The groups as the migrations make them; tests that empty the tables take them away."""
    import_module("journeys.migrations.0004_groups").make_groups(apps, None)
    import_module("journeys.migrations.0009_owners_unlock").let_owners_unlock(apps, None)


def missing(what: str) -> None:
    """Skip a test for want of a server, but fail it where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it.")
    pytest.skip(f"{what} is missing.")


# Servers


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    """A real Redis for the whole run."""
    try:
        server = RedisServer()
    except RuntimeError:
        missing("Redis")
    yield server
    server.stop()


@pytest.fixture
def redis_server(redis_process: RedisServer, settings: Any) -> RedisServer:
    """An empty Redis that the settings point at."""
    redis_process.client.flushall()
    _point_redis_at(settings, redis_process.url)
    return redis_process


@pytest.fixture
def smtp_sink(settings: Any) -> Iterator[SmtpSink]:
    """A mail server that the settings point at. It keeps what it gets; see SmtpSink."""
    sink = SmtpSink()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = sink.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    yield sink
    sink.stop()


@pytest.fixture
def outbox_dir(settings: Any, tmp_path: Path) -> Path:
    """An empty folder that .eml files go to, with the backend that writes them."""
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.EMAIL_BACKEND = "messaging.backends.EmlBackend"
    return settings.OUTBOX_DIR


# The browser


#: Where a system has Chromium, the one without windows first: it costs half of the processor.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Return the system's Chromium."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright."""
    executable = chromium()
    if executable is None:
        missing("Chromium")
    from playwright.sync_api import sync_playwright

    # Playwright's synchronous face keeps an event loop in this thread, and then Django takes every
    # query of the test for one inside a coroutine.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(
            executable_path=executable, headless=True, args=CHROMIUM_FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Any) -> Iterator[Any]:
    """A new page in a fresh profile. A script error or a CSP report on it fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    page.complaints = complaints
    yield page
    context.close()
    assert not complaints, complaints


@pytest.fixture(scope="session", autouse=True)
def kept_by_browsers() -> Iterator[None]:
    """Let browsers keep static files for the whole run, as they do where names hold a hash."""
    real = StaticFilesHandler.serve

    def serve(self: Any, request: Any) -> Any:
        answer = real(self, request)
        answer["Cache-Control"] = "max-age=86400, immutable"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesHandler, "serve", serve)
        yield


@pytest.fixture
def live_site(live_server: Any, settings: Any) -> Iterator[str]:
    """The address of a running site; links in mails point at it too. What it was still asked when
    the pages closed is answered before the database is emptied, which would wait for it.
    """
    settings.BASE_URL = live_server.url
    yield str(live_server.url)
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(30)


@pytest.fixture
def signed_in_page(browser_page: Any, live_site: str, admin_user: Any) -> Iterator[Any]:
    """A page of the live site on which the superuser `admin_user` is signed in."""
    from django.test import Client

    client = Client()
    client.force_login(admin_user)
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
    browser_page.context.add_cookies(
        [{"name": cookie.key, "value": cookie.value, "url": live_site}]
    )
    browser_page.site = live_site
    yield browser_page
    browser_page.context.close()
