"""Settings, each from the environment and typed; docs/settings.md lists them all.

A variable that is missing stops the start with one sentence that names every missing one.
"""

import re
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dj_email_url
from celery.schedules import schedule
from csp.constants import NONE, SELF
from environs import Env, EnvValidationError, validate

from dropsite import logs
from dropsite.beat import uptime

ROOT = Path(__file__).resolve().parent.parent

need = Env(eager=False)  # variables without a default; need.seal() below lists all that are missing
env = Env()

# --- where it runs ------------------------------------------------------------------------------------------
DEMO = env.bool("DEMO", False)  # local servers, the sandbox for Stripe, cookies over plain http
DEBUG = False
SECRET_KEY = need.str("SECRET_KEY")
SHOP_ORIGIN = need.str("SHOP_ORIGIN")  # scheme://host[:port] that shoppers see
ALLOWED_HOSTS: list[str] = need.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [SHOP_ORIGIN]
LOG_LEVEL = env.str("LOG_LEVEL", "WARNING")
LOG_FORMAT = env.str("LOG_FORMAT", "text" if DEMO else "json", validate=validate.OneOf(["json", "text"]))
BIND = env.str("BIND", "127.0.0.1")  # the address on which processes listen
PORT_GATEKEEPER = env.int("PORT_GATEKEEPER", 0)  # of a gatekeeper's /healthz/ready; 0: none
RUN_DIR = env.str("RUN_DIR", "")  # the folder of this machine's control sockets

DATABASE = need.dj_db_url("DATABASE_URL")
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", 4)  # connections per process
LINE_REDIS_URL = need.str("LINE_REDIS_URL")
BROKER_URL = need.str("BROKER_URL")

# --- keys ---------------------------------------------------------------------------------------------------
TICKET_KEYS = need.str("TICKET_KEYS")  # "kid:hex,kid:hex": the first signs, all verify
PASS_KEYS = need.str("PASS_KEYS")
HOLD_KEYS = need.str("HOLD_KEYS")
SHUFFLE_KEY = need.str("SHUFFLE_KEY")

# --- Stripe -------------------------------------------------------------------------------------------------
STRIPE_SECRET_KEY = need.str("STRIPE_SECRET_KEY")
STRIPE_PUBLISHABLE_KEY = need.str("STRIPE_PUBLISHABLE_KEY")
STRIPE_WEBHOOK_SECRETS: list[str] = need.list("STRIPE_WEBHOOK_SECRET")  # several while a secret is rotated
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "https://api.stripe.com")
STRIPE_JS_URL = env.str("STRIPE_JS_URL", "https://js.stripe.com/endive/stripe.js")
STRIPE_CONNECT_SECONDS = env.float("STRIPE_CONNECT_SECONDS", 2.0)
STRIPE_READ_SECONDS = env.float("STRIPE_READ_SECONDS", 10.0)
STRIPE_CALLS_PER_SECOND = env.int("STRIPE_CALLS_PER_SECOND", 80)  # in all
STRIPE_CALLS_PER_OPERATION = env.int("STRIPE_CALLS_PER_OPERATION", 20)  # per second, of each kind of call

# --- the shop -----------------------------------------------------------------------------------------------
SHOP_NAME = env.str("SHOP_NAME", "Dropsite")
SHOP_TIME_ZONE = env.str("SHOP_TIME_ZONE", "Europe/Berlin")
SELLER = env.str("SELLER", "").replace("\\n", "\n")
MAIL_FROM = env.str("MAIL_FROM", "shop@localhost")
# By zone, in minor units per order.
SHIPPING_RATES = env.json("SHIPPING_RATES", {"home": 490, "europe": 1290, "world": 2490})
SHIPPING_HOME = env.str("SHIPPING_HOME", "DE")  # the country that the zone "home" means
TAX_PERCENT = env.decimal("TAX_PERCENT", Decimal(19))  # contained in the prices
CHECKOUT_SLOTS = env.int("CHECKOUT_SLOTS", 200)  # shoppers between pass and payment, in all drops together
READY_PER_SECOND = env.int("READY_PER_SECOND", 25)  # shoppers that the stack at its baseline can admit

# --- the admin ----------------------------------------------------------------------------------------------
ADMIN_IDLE_MINUTES = env.int("ADMIN_IDLE_MINUTES", 120)  # without activity until one is signed out
ADMIN_SECOND_FACTOR_REQUIRED = env.bool("ADMIN_SECOND_FACTOR_REQUIRED", False)
ADMIN_SESSION_HOURS = env.int("ADMIN_SESSION_HOURS", 12)  # until one signs in again, however active

# --- pre-scaling --------------------------------------------------------------------------------------------
SCALING_TICK_SECONDS = env.float("SCALING_TICK_SECONDS", 15.0)  # between two ticks of pre-scaling
SCALING_GO_SECONDS = env.float("SCALING_GO_SECONDS", 600.0)  # from the go / no-go to the lobby's opening
SCALING_EXPECT = env.int("SCALING_EXPECT", 0)  # shoppers that the demo's drop is pre-scaled for; 0: none
SCALING_METRICS_TOKEN = env.str("SCALING_METRICS_TOKEN", "")  # of /metrics/; empty: this machine only
OPS_MAIL = env.str("OPS_MAIL", "")  # the address that alerts are sent to
OPS_WEBHOOK_URL = env.str("OPS_WEBHOOK_URL", "")  # where alerts are posted, signed
OPS_WEBHOOK_SECRET = env.str("OPS_WEBHOOK_SECRET", "")
EDGE_ACCESS_LOG = env.str("EDGE_ACCESS_LOG", "")  # from which a drop's requests are counted afterwards
SCALING_WEBHOOK_SECRET = env.str("SCALING_WEBHOOK_SECRET", "")  # signs calls to targets of the kind "webhook"
SCALING_PRIVATE_HOSTS: list[str] = env.list("SCALING_PRIVATE_HOSTS", [])  # webhooks' hosts; may be private

# --- load tests ---------------------------------------------------------------------------------------------
# Hosts of shops that may be load-tested beside the demo.
LOAD_TEST_HOSTS: list[str] = env.list("LOAD_TEST_HOSTS", [], subcast=str.strip)

try:
    need.seal()
except EnvValidationError as error:
    sys.exit(
        f"Dropsite can't start. These environment variables are missing or wrong: {', '.join(error.error_messages)}."
    )

if not STRIPE_API_BASE.startswith("https://"):
    if not DEMO:
        sys.exit(
            "Dropsite can't start. STRIPE_API_BASE: only the Stripe sandbox uses plain http, and it needs DEMO=1."
        )
    if "_live_" in STRIPE_SECRET_KEY:
        sys.exit(
            "Dropsite can't start. STRIPE_SECRET_KEY is a live key, and STRIPE_API_BASE is the Stripe sandbox."
        )

if unclear := [host for host in LOAD_TEST_HOSTS if not re.fullmatch(r"[A-Za-z0-9.-]+", host)]:
    sys.exit(
        f"Dropsite can't start. LOAD_TEST_HOSTS={unclear[0]} is not a host name such as staging.shop.example."
    )

if OPS_WEBHOOK_URL and not OPS_WEBHOOK_SECRET:
    sys.exit("Dropsite can't start. OPS_WEBHOOK_SECRET: OPS_WEBHOOK_URL needs a secret to sign with.")

# --- Django -------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "dropsite.backoffice.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "shop",
    "drops",
    "drops.scaling",
    "payments",
    "dropsite",
]

MIDDLEWARE = [
    "dropsite.middleware.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "dropsite.middleware.public_pages.PublicPagesMiddleware",
    "dropsite.middleware.origin.OriginMiddleware",
    "csp.middleware.CSPMiddleware",
    "dropsite.middleware.wrong_method.WrongMethodMiddleware",
    "dropsite.middleware.well_formed.WellFormedMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "dropsite.middleware.retry_reading.RetryReadingMiddleware",
]

ROOT_URLCONF = "dropsite.urls"
WSGI_APPLICATION = "dropsite.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dropsite.middleware.public_pages.shop_context",
            ],
        },
    },
]

# The pool replaces Django's persistent connections. Without the timeout, a busy pool would block for 30 s.
DATABASES = {
    "default": DATABASE
    | {
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # A server that vanished without a word is noticed after about 10 s, not a quarter of an hour.
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            **DATABASE.get("OPTIONS", {}),  # what the address says: sslmode, several hosts
            # A connection that can't be made is given up after 2 s, and the next request tries again: the
            # pool's pauses double, and after a minute's outage nobody would be served for another minute.
            "pool": {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 5, "reconnect_timeout": 2},
            # Statements are prepared: planning each one again costs Postgres more than running it.
            "server_side_binding": True,
            "prepare_threshold": 1,
        },
        "TEST": {"NAME": env.str("TEST_DATABASE", None)},
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = env.str("LANGUAGE_CODE", "en")
LANGUAGES = [(LANGUAGE_CODE, LANGUAGE_CODE)]
LOCALE_PATHS = [ROOT / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", ROOT / "var" / "static")
MEDIA_URL = "/media/"
MEDIA_ROOT = env.path("MEDIA_ROOT", ROOT / "var" / "media")
MEDIA_ORIGIN = env.str("MEDIA_ORIGIN", "")  # the origin of pictures in a storage elsewhere
STORAGES = {
    "default": env.json("MEDIA_STORAGE", {"BACKEND": "django.core.files.storage.FileSystemStorage"}),
    "staticfiles": {"BACKEND": "shop.core.static_storage.HashedFiles"},
}

EMAIL = dj_email_url.parse(env.str("EMAIL_URL", "smtp://127.0.0.1:25"))
EMAIL_HOST, EMAIL_PORT = EMAIL["EMAIL_HOST"], EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_USER"], EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_TLS", False), EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = MAIL_FROM

# --- safety -------------------------------------------------------------------------------------------------
SECURE_COOKIES = SHOP_ORIGIN.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_NAME = "__Host-session" if SECURE_COOKIES else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE_COOKIES else "csrf"
CSRF_COOKIE_HTTPONLY = True
OTP_TOTP_ISSUER = SHOP_NAME
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0  # shop.core.sign_ins counts, and locks nobody out
SESSION_COOKIE_AGE = ADMIN_SESSION_HOURS * 3600
CSRF_FAILURE_VIEW = "dropsite.views.csrf_refused"
# Where drops sends a shopper who holds something: names of URLs whose only argument is the hold's token.
HOLD_URL_NAME = "checkout"
HOLD_CHANGE_URL_NAME = "change-hold"  # takes the same form as the page of choices
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = False  # the edge redirects
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # which asks for the line above to be True
SECURE_HSTS_SECONDS = 0 if DEMO else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEMO
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
STRIPE_JS_ORIGIN = "/".join(STRIPE_JS_URL.split("/")[:3])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", *filter(None, [MEDIA_ORIGIN])],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# --- REST framework -----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "dropsite.problems.problem_details",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dropsite",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Celery -------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = BROKER_URL
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = "background"
CELERY_TASK_ROUTES = {
    "payments.confirm_order": {"queue": "checkout"},
    "payments.sweep_attempts": {"queue": "checkout"},
    "payments.*": {"queue": "capture"},
    "shop.send_due_emails": {"queue": "mail"},
}
# Celery would throw the whole pool away before and after each task, and each new one costs a backend of
# Postgres and five threads. The pool is kept; dropsite.celery gives the connection back to it after a task.
CELERY_DB_REUSE_MAX = 2**31
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,  # longer than any task
    "polling_interval": 5,  # seconds that one poll waits for a message; each costs worker and broker
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
}


def every(seconds: float, task: str, queue: str) -> dict[str, Any]:
    """Return an entry of beat's schedule.

    Ticks that piled up while no worker took them are skipped but for the first; see dropsite.task.
    """
    return {
        "task": task,
        "schedule": schedule(timedelta(seconds=seconds), nowfun=uptime),
        "options": {"queue": queue, "headers": {"interval_seconds": seconds}},
    }


CELERY_BEAT_SCHEDULE = {
    "expire due holds": every(5, "drops.expire_due_holds", "background"),
    "enqueue unsent attempts": every(5, "payments.sweep_attempts", "checkout"),
    "process events and enqueue stalled payments": every(5, "payments.sweep_payments", "capture"),
    "check invariants and resolve alerts about money": every(60, "payments.watch_money", "capture"),
    "send emails": every(5, "shop.send_due_emails", "mail"),
    "pre-scale": every(SCALING_TICK_SECONDS, "scaling.tick", "background"),
    "measure drops": every(max(5.0, SCALING_TICK_SECONDS), "scaling.measure", "background"),
    "send alerts": every(10, "shop.send_due_alerts", "background"),
    "forget old sign-ins": every(3600, "shop.forget_sign_ins", "background"),
    "replace old uploads, delete removed files": every(60, "shop.tend_pictures", "background"),
    "watch emails": every(60, "shop.watch_emails", "background"),
}

# --- logs ---------------------------------------------------------------------------------------------------
LOGGING = logs.build_config(level=LOG_LEVEL, log_format=LOG_FORMAT)
