"""The one settings file: every choice that differs between places comes from the environment.

A `.env` file beside manage.py is read too; a variable that is already set wins over it.
"""

import base64
import importlib.util
import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(str(BASE_DIR / ".env"))


# Where things are kept, and the address people reach us at

VAR_DIR = Path(env.str("VAR_DIR", default="") or BASE_DIR / "var").resolve()
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
OUTBOX_DIR = VAR_DIR / "outbox"
MEDIA_ROOT = VAR_DIR / "uploads"  # never served: imports are read by the worker alone

PORT = env.int("PORT", default=8000)
BASE_URL = (env.str("BASE_URL", default="") or f"http://127.0.0.1:{PORT}").rstrip("/")
HOST = urlsplit(BASE_URL).hostname or "127.0.0.1"
HTTPS = BASE_URL.startswith("https://")

DEMO = env.bool("DEMO", default=True)  # whether `make run` fills an empty database with the demo


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return what `path` holds, made on first use. Many processes may start at once: one wins."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(make())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()


# Django

SECRET_KEY = env.str("SECRET_KEY", default="") or kept(
    VAR_DIR / "secret_key", lambda: secrets.token_urlsafe(50)
)
# What erased addresses are hashed with: it must outlive every rotation of SECRET_KEY.
SUPPRESSION_KEY = env.str("SUPPRESSION_KEY", default="") or kept(
    VAR_DIR / "suppression_key", lambda: secrets.token_urlsafe(50)
)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[HOST, "127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[BASE_URL] if HTTPS else [])

ROOT_URLCONF = "journeys_project.urls"
WSGI_APPLICATION = "journeys_project.wsgi.application"

INSTALLED_APPS = [
    "journeys_project",  # whose templates come before Unfold's
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_rq",
    "anymail",
    "axes",
    "csp",
    "ninja",  # serves the API's documentation from here, and not from elsewhere
    "journeys.apps.JourneysConfig",
    "messaging.apps.MessagingConfig",
    "contacts.apps.ContactsConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "journeys_project.fit.FitText",
    "axes.middleware.AxesMiddleware",  # last: it turns a locked-out sign-in into its answer
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = ["journeys_project.formats"]
USE_TZ = True

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# Database

SQLITE_PRAGMAS = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -64000;
    PRAGMA mmap_size = 1073741824;
    PRAGMA journal_size_limit = 67108864;
"""

if env.str("DATABASE_URL", default=""):
    DATABASES = {"default": env.db("DATABASE_URL")}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(VAR_DIR / "journeys.sqlite3"),
        }
    }

database = DATABASES["default"]
if database["ENGINE"] == "django.db.backends.sqlite3":
    # A deferred transaction that starts to write may fail at once instead of waiting its turn;
    # an immediate one waits for up to `timeout` seconds.
    database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": SQLITE_PRAGMAS,
        **database.get("OPTIONS", {}),
    }
else:
    database.setdefault("CONN_MAX_AGE", 600)
    database.setdefault("CONN_HEALTH_CHECKS", True)


# Redis and RQ


REDIS_IS_BUNDLED = not env.str("REDIS_URL", default="")
REDIS_SOCKET = VAR_DIR / "redis.sock"
if len(bytes(REDIS_SOCKET)) > 100:
    # A socket's path holds 103 to 107 bytes, so here it goes into a private directory.
    REDIS_SOCKET = Path(
        kept(VAR_DIR / "redis_socket", lambda: f"{tempfile.mkdtemp(prefix='journeys-')}/redis.sock")
    )
REDIS_URL = f"unix://{quote(str(REDIS_SOCKET))}" if REDIS_IS_BUNDLED else env.str("REDIS_URL")

# Whoever has work for RQ must not hang with a Redis that does: its jobs are only nudges.
IMPATIENT = "socket_connect_timeout=2&socket_timeout=2"
RQ_QUEUES = {
    name: {
        "URL": f"{REDIS_URL}{'&' if '?' in REDIS_URL else '?'}{IMPATIENT}",
        "DEFAULT_TIMEOUT": timeout,
        "DEFAULT_RESULT_TTL": 0,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
    for name, timeout in {"facts": 300, "messages": 300, "bulk": 3600}.items()
}
RQ = {"WORKER_CLASS": "journeys.management.commands.worker.QueueWorker"}
# django-rq's dashboard lets every staff user read job arguments and empty queues.
RQ_SHOW_ADMIN_LINK = False


# Mail

ANYMAIL = {
    "REQUESTS_TIMEOUT": (3, 10),
    **{
        name.removeprefix("ANYMAIL_"): value
        for name, value in os.environ.items()
        if name.startswith("ANYMAIL_")
    },
}


def mail_settings(url: str) -> dict[str, object]:
    """Return Django's EMAIL_* settings for an EMAIL_URL. Without one, mail becomes .eml files."""
    if not url:
        return {"EMAIL_BACKEND": "messaging.backends.EmlBackend"}
    scheme = urlsplit(url).scheme
    if scheme.startswith("anymail+"):
        provider = scheme.removeprefix("anymail+").replace("-", "_")
        module = f"anymail.backends.{provider}"
        if importlib.util.find_spec(module) is None:
            raise ImproperlyConfigured(f"EMAIL_URL: Anymail knows no provider “{provider}”.")
        return {"EMAIL_BACKEND": f"{module}.EmailBackend"}
    found = env.email_url_config(url)
    if not found["EMAIL_PORT"]:
        found["EMAIL_PORT"] = {"smtp+tls": 587, "smtps": 587, "smtp+ssl": 465}.get(scheme, 25)
    found.pop("OPTIONS", None)
    return {name: value for name, value in found.items() if value is not None}


globals().update(mail_settings(env.str("EMAIL_URL", default="")))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL",
    default=f"Journeys <journeys@{'localhost' if HOST == '127.0.0.1' else HOST}>",
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL


# Requests that webhook nodes make

# What they are signed with, as Standard Webhooks has it; receivers need it too.
WEBHOOK_SECRET = env.str("WEBHOOK_SECRET", default="") or kept(
    VAR_DIR / "webhook_secret",
    lambda: f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
)
# Hosts that may be called although they lie in a private network or use another port: name[:port].
WEBHOOK_ALLOW_HOSTS = env.list("WEBHOOK_ALLOW_HOSTS", default=[])


# Sign-in

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
# The page to sign in does not always say where to go on.
LOGIN_REDIRECT_URL = "admin:index"

AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "journeys_project.pages.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False


# What a browser may do

SECURE_SSL_REDIRECT = HTTPS
# One-click unsubscription may not be redirected (RFC 8058), whatever a proxy forgets to tell.
SECURE_REDIRECT_EXEMPT = [r"^u/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        # All scripts are files of our own. The admin's Alpine turns the expressions in `x-data` and
        # `@click` into functions, which a browser permits only with 'unsafe-eval'; Alpine's build
        # without it can't run the expressions that Unfold's templates hold.
        "script-src": [SELF, UNSAFE_EVAL],
        # Unfold writes its colours as a <style> element, and Alpine and htmx set style attributes.
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        # A page that is meant to be framed (a mail's preview) carries a policy of its own.
        "frame-ancestors": [NONE],
    },
}


# How often somebody may call, counted in Redis; 0 is no limit

# Calls with one API key, a second.
API_RATE_LIMIT = env.int("API_RATE_LIMIT", default=1000)
# Links in mails that are none of ours, from one address a minute. A link that is ours always works:
# mail programs unsubscribe thousands of people from a few addresses.
BAD_LINK_LIMIT = env.int("BAD_LINK_LIMIT", default=60)


# Sizes of requests. The API reads its raw body itself, with a smaller limit of its own.

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # an action on thousands of selected rows
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600


# Static files

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}


# Logs: a line a record on standard error, without anybody's address

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "journeys_project.logs.LineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # Django gives these handlers of their own; ours at the root is enough.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "rq.worker": {"level": "WARNING"},
        "rq.job": {"level": "WARNING"},
        "rq.scheduler": {"level": "WARNING"},
    },
}


# The admin's looks

UNFOLD = {
    "SITE_TITLE": "Journeys",
    "SITE_HEADER": "Journeys",
    "SITE_SYMBOL": "route",
    "SITE_URL": None,  # the admin is the whole site
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("journeys_project/icon.svg"),
        }
    ],
    "STYLES": [lambda request: static("journeys_project/admin.css")],
    "SCRIPTS": [lambda request: static("journeys_project/admin.js")],
    "DASHBOARD_CALLBACK": "journeys.admin.home.dashboard",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .016 190)",
            "100": "oklch(94.5% .04 190)",
            "200": "oklch(89.5% .075 189)",
            "300": "oklch(82.5% .11 188)",
            "400": "oklch(73.5% .125 188)",
            "500": "oklch(63.5% .115 189)",
            "600": "oklch(53% .098 190)",
            "700": "oklch(45% .082 191)",
            "800": "oklch(38% .067 192)",
            "900": "oklch(32.5% .054 193)",
            "950": "oklch(22.5% .042 194)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": "journeys_project.navigation.sidebar",
    },
}
