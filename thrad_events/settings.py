"""Every setting of the server, read from the environment or from `.env`; README and docs/operations.md list them."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from keys import crypto
from runtime import env_file, environment
from thrad_events import database

BASE_DIR = Path(__file__).resolve().parent.parent

# The contract takes integers of 5,000 digits (`collect/intake/json_rules.py` has the limit); Python's own is 4,300.
sys.set_int_max_str_digits(16_000)

env_file.take(BASE_DIR)

# What the server writes beside its database: SQLite's files and the geo database.
VAR_DIR = environment.path("VAR_DIR", BASE_DIR / "var", BASE_DIR)

SECRET_KEY = environment.text("SECRET_KEY", "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set: `make run` writes one to .env, or set it in the environment.")
DEBUG = environment.flag("DEBUG", default=False)
# Where gunicorn listens, and how many processes serve; gunicorn.conf.py reads the same.
HOST = environment.host("HOST", "127.0.0.1")
PORT = environment.number("PORT", 8000, 1, 65_535)
WEB_CONCURRENCY = environment.number("WEB_CONCURRENCY", 2, 1, 1000)
# A server whose console nobody can call is a slip.
ALLOWED_HOSTS = environment.items("ALLOWED_HOSTS", []) or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = environment.items("CSRF_TRUSTED_ORIGINS", [])

# True behind TLS: cookies are marked secure, browsers are told to stay on https.
HTTPS = environment.flag("HTTPS", default=False)

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "keys",
    "collect",
    "reporting",
    "console",
]

MIDDLEWARE = [
    "runtime.request_id.RequestIdMiddleware",
    "runtime.addresses.ClientAddressMiddleware",
    "thrad_events.probes.ProbesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "collect.enrichment.middleware.EnrichmentMiddleware",
    "console.middleware.ConsoleMiddleware",
    "axes.middleware.AxesMiddleware",
]

# --- the console's login ---------------------------------------------------------------------------

LOGIN_URL = "admin:login"
# Where a log-in leads that came from no other page.
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# Of one name from one address: a stranger who knows a name locks nobody else out, nor does one behind the same NAT.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# The one rule for addresses, through TRUSTED_PROXIES.
AXES_CLIENT_IP_CALLABLE = "runtime.addresses.of_request"
AXES_LOCKOUT_CALLABLE = "console.error_pages.locked_out"
AXES_RESET_ON_SUCCESS = True
# Who logs in successfully is in Django's own table; a second record of people is none of ours.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

ROOT_URLCONF = "thrad_events.urls"
WSGI_APPLICATION = "thrad_events.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- databases -------------------------------------------------------------------------------------

# WAL with synchronous below FULL can lose an acknowledged row on power loss.
_SQLITE_DURABILITY = "PRAGMA synchronous=FULL;"
SQLITE_OPTIONS: dict[str, Any] = {
    "init_command": f"PRAGMA journal_mode=WAL; {_SQLITE_DURABILITY}",
    # A deferred transaction that turns to writing fails at once when another one wrote meanwhile.
    "transaction_mode": "IMMEDIATE",
    # How many seconds a connection waits for another one's lock: a sender not for long, a command of manage.py until
    # its turn comes beside a busy server.
    "timeout": 60 if environment.is_command else 5,
}
# How long a statement may take. None of the server's takes longer; `manage.py` sets no bound, for a migration or a
# backfill of many rows may. `runtime.postgresql` sets it, and the other bounds, on each connection.
STATEMENT_SECONDS = environment.number("STATEMENT_SECONDS", 5, 1, 600, "seconds")
if environment.is_command:
    STATEMENT_SECONDS = 0
POSTGRES_OPTIONS: dict[str, Any] = {
    "connect_timeout": 3,
    # The document of a group goes to the server as it is, unquoted, and its statement is planned once a connection.
    "server_side_binding": True,
    "prepare_threshold": 1,
}

# Where events go, fsynced, while PostgreSQL cannot take them; and how large that file may grow.
SPOOL_PATH = str(environment.path("SPOOL_PATH", VAR_DIR / "spool.sqlite3", BASE_DIR))
SPOOL_MAX_BYTES = environment.number("SPOOL_MAX_BYTES", 1024**3, 65_536, 10**13, "bytes")

DATABASE_URL = environment.text("DATABASE_URL", "")
DATABASES = {
    "default": database.of_url(DATABASE_URL, BASE_DIR, SQLITE_OPTIONS, POSTGRES_OPTIONS)
    if DATABASE_URL
    else database.sqlite(VAR_DIR / "events.sqlite3", SQLITE_OPTIONS),
    # Its journal, its bound and its tables: collect/storage/spool_file.py.
    "spool": database.sqlite(SPOOL_PATH, {**SQLITE_OPTIONS, "init_command": _SQLITE_DURABILITY}),
}
DATABASE_ROUTERS = ["collect.routers.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the collect endpoint --------------------------------------------------------------------------

# How long keys that a worker has met keep working while the database is away.
AUTH_STALE_SECONDS = environment.number("AUTH_STALE_SECONDS", 3600, 0, 31_536_000, "seconds")
# Networks whose X-Forwarded-For is believed, as CIDRs. None by default: anybody can send that header.
TRUSTED_PROXIES = environment.items("TRUSTED_PROXIES", [])
# Who may read /metrics, as CIDRs.
METRICS_ALLOW = environment.items("METRICS_ALLOW", ["127.0.0.1/32", "::1/128"])
# How long the events of test keys are kept; 0 is for ever.
TEST_EVENTS_DAYS = environment.number("TEST_EVENTS_DAYS", 7, 0, 36_500, "days")
# Redis or Valkey, which counts the events of keys with a limit for all workers; empty: each counts for itself.
CACHE_URL = environment.text("CACHE_URL", "")
# A City database in MaxMind's format; read again when the file is replaced.
GEOIP_PATH = str(environment.path("GEOIP_PATH", VAR_DIR / "city.mmdb", BASE_DIR))

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["keys.authentication.BearerKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "runtime.answers.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Events API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": ["collect.openapi.require_bodies"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # From the server itself: a page of ours loads nothing from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- pages and security ----------------------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

STATIC_URL = "static/"
# Straight from the packages that bring them: nothing to collect before a start, nothing to forget.
WHITENOISE_USE_FINDERS = True

# A redirect of a collect request would be counted as delivered by real clients, so none is ever given there.
APPEND_SLASH = True
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(v1/)?api/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "console.error_pages.csrf_failure"
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["thrad_events.formats"]

UNFOLD = {
    "SITE_TITLE": "thrad_events",
    "SITE_HEADER": "thrad_events",
    "SITE_URL": None,
    # Of links on a dark ground: a little lighter than unfold's, of which the contrast is 4.3 where 4.5 is needed.
    "COLORS": {"primary": {"500": "oklch(67% .235 304.5)"}},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("console/favicon.svg")}],
    "STYLES": [lambda _: static("console/charts.css"), lambda _: static("console/console.css")],
    "SIDEBAR": {"navigation": "console.navigation.groups"},
}

# --- logs ------------------------------------------------------------------------------------------

LOG_LEVEL = environment.level("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "runtime.logs.JsonFormatter", "secret": crypto.SECRET}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Django would log every 4xx as a warning besides our own line, and some of them as an error with a traceback.
    "loggers": {
        "django.request": {"level": "ERROR"},
        **{
            f"django.security.{name}": {"level": "CRITICAL"}
            for name in ("DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "TooManyFilesSent")
        },
    },
}
