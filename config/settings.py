"""
Hexiao's settings, read top to bottom: the environment decides, docs/configuration.md lists it.

With nothing set this is a development machine: embedded engines and secrets of its own under
``.local/``. With ``HEXIAO_ENV=production`` a missing secret or host list stops the boot.
"""

import os
import sys
from pathlib import Path
from typing import Any

import dj_database_url

from config.kernel import engines, rehearsal_clock, secrets

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = BASE_DIR / ".local"

HEXIAO_ENV = os.environ.get("HEXIAO_ENV", "development")
IS_PRODUCTION = HEXIAO_ENV == "production"
DEBUG = os.environ.get("HEXIAO_DEBUG", "0") == "1" and not IS_PRODUCTION

# --- secrets ---------------------------------------------------------------------------------------

SECRETS_FILE = Path(os.environ.get("HEXIAO_SECRETS_FILE", LOCAL_DIR / "secrets.json"))
# `manage.py keys init` makes the file; until then it runs on secrets that nobody keeps.
MAKES_SECRETS = sys.argv[1:3] == ["keys", "init"]
SECRETS = secrets.make() if MAKES_SECRETS else secrets.load(SECRETS_FILE, make_if_missing=not IS_PRODUCTION)
SECRET_KEY = SECRETS.django_secret_key

# --- where it answers ------------------------------------------------------------------------------

ALLOWED_HOSTS = os.environ.get("HEXIAO_HOSTS", "" if IS_PRODUCTION else "localhost,127.0.0.1,[::1]").split(",")
if IS_PRODUCTION and ALLOWED_HOSTS == [""]:
    raise SystemExit("Set HEXIAO_HOSTS to the host names this site answers to, separated by commas.")
# How many proxies of our own stand before us, each adding a name to X-Forwarded-For.
TRUSTED_PROXIES = int(os.environ.get("HEXIAO_TRUSTED_PROXIES", "0"))
PUBLIC_URL = os.environ.get("HEXIAO_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
SANDBOX_URL = os.environ.get("HEXIAO_SANDBOX_URL", "http://127.0.0.1:8009").rstrip("/")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if IS_PRODUCTION else 0
SECURE_SSL_REDIRECT = IS_PRODUCTION and os.environ.get("HEXIAO_PLAIN_HTTP", "0") != "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_PRODUCTION
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "config.pages.design.faults.stale_form"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
APPEND_SLASH = False

# --- what it is made of ----------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "config.kernel",
    "config.accounts",
    "stores",
    "vouchers",
    "orders",
    "livestream",
    "config.pages.design",
    "config.pages.console",
    "config.pages.shop",
]
MIDDLEWARE = [
    "config.kernel.health.Health",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.kernel.api.request_ids.RequestIdMiddleware",
    "config.pages.design.compressing.CompressedPages",
    "config.kernel.content_security.ContentSecurityPolicy",
    "config.kernel.api.throttling.RateLimitHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "config.pages.design.language.context",
            ],
            "builtins": ["config.pages.design.templatetags.ui"],
        },
    }
]
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static_root"
# Production collects its static files, hashed and compressed, into the image; anywhere else they lie where they lie.
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
COLLECTS_STATIC = IS_PRODUCTION or sys.argv[1:2] == ["collectstatic"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "config.pages.design.storage.HashedFiles"
        if COLLECTS_STATIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
if not IS_PRODUCTION:
    STATIC_ROOT.mkdir(exist_ok=True)

# --- PostgreSQL: the only truth --------------------------------------------------------------------

DATABASE_URL = os.environ.get("DATABASE_URL") or engines.database_url()
DATABASES: dict[str, Any] = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=None)}
# A request that waits longer than this is better refused: the client repeats it with its key. A migration of a
# large table takes what it takes, and only must not keep everybody waiting behind its wish for a lock.
DATABASE_LIMITS = "-c lock_timeout=10s" if sys.argv[1:2] == ["migrate"] else "-c statement_timeout=15s"
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=5,
    application_name=os.environ.get("HEXIAO_PROCESS", "hexiao"),
    options=f"{DATABASE_LIMITS} -c idle_in_transaction_session_timeout=60s",
)

# --- Redis: broker, cache, rate limits; never the truth --------------------------------------------

REDIS_URL = os.environ.get("REDIS_URL") or engines.redis_url()
REDIS_SOCKET_SECONDS = 0.2
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": REDIS_SOCKET_SECONDS, "socket_connect_timeout": REDIS_SOCKET_SECONDS},
    }
}
NUDGES_ARE_SENT = os.environ.get("HEXIAO_NUDGES", "1") == "1"

# Webhooks go to public addresses under https; only a demo's or a test's receiver listens on this machine.
WEBHOOKS_TO_LOOPBACK = os.environ.get("HEXIAO_WEBHOOKS_TO_LOOPBACK", "0") == "1" and not IS_PRODUCTION

# Who carries sign-in codes to phones; the built-in sandbox shows them on this machine and nowhere else.
MESSENGER = os.environ.get("HEXIAO_MESSENGER", "" if IS_PRODUCTION else "sandbox")
if IS_PRODUCTION and MESSENGER == "sandbox":
    raise SystemExit("HEXIAO_MESSENGER=sandbox shows everybody's sign-in codes; name a real messenger or none.")

# --- the API ---------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["stores.api.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["config.kernel.api.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.kernel.api.parsers.BoundedJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["config.kernel.api.throttling.CallerThrottle"],
    "DEFAULT_SCHEMA_CLASS": "config.kernel.api.schema.HexiaoSchema",
    "EXCEPTION_HANDLER": "config.kernel.api.exceptions.answer",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "UNICODE_JSON": True,
    "COMPACT_JSON": True,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Hexiao 核销",
    "DESCRIPTION": "Sell group-buy vouchers in livestreams, redeem them at stores, settle to the fen.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "POSTPROCESSING_HOOKS": [
        "config.kernel.api.schema.add_lane_operations",
        "config.kernel.api.schema.add_common_answers",
    ],
}

# --- time ------------------------------------------------------------------------------------------

# Only a rehearsal lives at another time, all processes of its site at the same one.
if REHEARSAL_CLOCK := os.environ.get("HEXIAO_REHEARSAL_CLOCK"):
    if IS_PRODUCTION:
        raise SystemExit("HEXIAO_REHEARSAL_CLOCK is for rehearsals: production lives now.")
    rehearsal_clock.follow(Path(REHEARSAL_CLOCK))

# --- the trade's numbers ---------------------------------------------------------------------------

SURCHARGE_PAYABLE_SECONDS = int(os.environ.get("HEXIAO_SURCHARGE_PAYABLE_SECONDS", 5 * 60))
UNPAID_AFTER_SECONDS = int(os.environ.get("HEXIAO_UNPAID_AFTER_SECONDS", 15 * 60))
ORDER_LEASE_SECONDS = int(os.environ.get("HEXIAO_ORDER_LEASE_SECONDS", 15 * 60))
# Of a store that has not said otherwise; a few people at the bar, and whoever is in the queue is served by closing.
CUPS_PER_SLOT = int(os.environ.get("HEXIAO_CUPS_PER_SLOT", 60))
CUT_OFF_MINUTES = int(os.environ.get("HEXIAO_CUT_OFF_MINUTES", 15))
REVERSIBLE_FOR_SECONDS = int(os.environ.get("HEXIAO_REVERSIBLE_FOR_SECONDS", 60 * 60))
CUSTOMER_TOKEN_SECONDS = 24 * 60 * 60
STAFF_TOKEN_SECONDS = 12 * 60 * 60
COUNTER_TOKEN_SECONDS = 12 * 60 * 60
QR_TOKEN_SECONDS = 60
CUSTOMER_SESSION_SECONDS = 30 * 24 * 60 * 60

# --- logging ---------------------------------------------------------------------------------------

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("HEXIAO_LOG_LEVEL", "INFO")},
    "loggers": {"django.db.backends": {"level": "INFO"}, "httpx": {"level": "WARNING"}},
}
