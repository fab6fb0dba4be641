"""One settings file; the production profile is chosen by environment variables only (docs/settings.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.messages import constants as message_levels

from slmhub import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
HUB_HOME = Path(env.text("HUB_HOME", str(BASE_DIR / ".hub"))).resolve()
HUB_HOME.mkdir(parents=True, exist_ok=True)
PORT = env.whole("PORT", 8000)

DEBUG = env.flag("HUB_DEBUG", default=False)
SECRET_KEY = env.text("HUB_SECRET_KEY") or env.kept_secret(HUB_HOME / "secret_key")
# Wraps every workspace's own key; losing it loses the originals, so it can live outside HUB_HOME.
MASTER_KEY = env.text("HUB_MASTER_KEY") or env.kept_secret(HUB_HOME / "master_key")
ALLOWED_HOSTS = env.words("HUB_HOSTS", "localhost,127.0.0.1,[::1],testserver")
CSRF_TRUSTED_ORIGINS = env.words("HUB_ORIGINS")
HTTPS = env.flag("HUB_HTTPS", default=False)

DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")

INSTALLED_APPS = [
    "apps.core",
    "apps.accounts",
    "apps.spool",
    "apps.events",
    "apps.jobs",
    "apps.team",
    "apps.prices",
    "apps.contents",
    "apps.privacy",
    "apps.traces",
    "apps.ingest",
    "apps.uploads",
    "apps.intake",
    "apps.sources",
    "apps.discovery",
    "apps.datasets",
    "apps.registry",
    "apps.training",
    "apps.evaluation",
    "apps.rollouts",
    "apps.gateway",
    "apps.lifecycle",
    "apps.insights",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "django_htmx",
    "heroicons",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.events.middleware.LiveCursor",
    "apps.core.middleware.RefusalPages",
]
ROOT_URLCONF = "slmhub.urls"
ASGI_APPLICATION = "slmhub.asgi.application"
_LOADERS = ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.insights.navigation.navigation",
            ],
            # `page.html#part`: a live part of a page, alone.
            "loaders": [
                ("template_partials.loader.Loader", [("django.template.loaders.cached.Loader", _LOADERS)])
            ],
            "builtins": [
                "apps.core.templatetags.hub",
                "template_partials.templatetags.partials",
            ],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database(DATABASE_URL, HUB_HOME / "hub.sqlite3"),
}
DATABASE_ROUTERS = ["apps.jobs.routers.BrokerRouter"]
if not REDIS_URL:
    # The broker polls; its own file keeps that traffic out of the way of the product's writers.
    DATABASES["queue"] = env.sqlite(HUB_HOME / "queue.sqlite3")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LONGEST_JOB_S = 24 * 3600
_CLUSTER: dict[str, Any] = {
    "name": "default",
    "workers": env.whole("HUB_WORKERS", 2),
    "queue_limit": 4,
    "bulk": 1,
    "poll": 0.3,
    "timeout": LONGEST_JOB_S,
    "retry": LONGEST_JOB_S + 3600,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 50,
    # Training starts child processes, which daemonic workers may not have.
    "daemonize_workers": False,
    "label": "Broker",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "queue"}),
}
Q_CLUSTER = {
    **_CLUSTER,
    "ALT_CLUSTERS": {"gpu": {**_CLUSTER, "workers": env.whole("HUB_GPU_WORKERS", 1), "queue_limit": 1}},
}

# What the keeper does over and over: (function, seconds between two runs).
KEEPER = [
    ("apps.jobs.services.sweep", 2.0),
    ("apps.uploads.services.sweep", 3600.0),
    ("apps.lifecycle.services.advance_open", 1.0),
]

CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
# What a message is called is the tone that it is shown in.
MESSAGE_TAGS = {
    message_levels.DEBUG: "info",
    message_levels.INFO: "info",
    message_levels.SUCCESS: "ok",
    message_levels.WARNING: "warn",
    message_levels.ERROR: "bad",
}
CSRF_FAILURE_VIEW = "apps.core.error_pages.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Uploads are streamed to disk; only form fields may sit in memory.
FILE_UPLOAD_HANDLERS = ["apps.core.unnamed_uploads.UnnamedFileUploadHandler"]
FILE_UPLOAD_TEMP_DIR = str(HUB_HOME / "uploads")
(HUB_HOME / "uploads").mkdir(exist_ok=True)
LARGEST_UPLOAD = 2 * 1024**3

STATIC_URL = "/static/"
STATIC_ROOT = HUB_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("vendor", env.package_folder("plotly") / "package_data")]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.accounts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.accounts.authentication.HasScope"],
    "EXCEPTION_HANDLER": "apps.core.api_errors.api_exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SLM Hub API",
    "DESCRIPTION": "Traces in, tasks, datasets, training, evaluation and rollouts out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}

# Where things of a data folder live.
RUNS_DIR = HUB_HOME / "runs"
MODELS_DIR = HUB_HOME / "models"
SPOOL_DIR = HUB_HOME / "spool"
RUN_DIR = HUB_HOME / "run"
# Traces that were acknowledged and wait for their rows; beyond these, senders are asked to wait.
SPOOL_LIMIT = env.whole("HUB_SPOOL_MB", 2048) * 1024**2
SPOOL_DISK_FLOOR = env.whole("HUB_DISK_FLOOR_MB", 512) * 1024**2
INTAKE_MEMORY = env.whole("HUB_INTAKE_MEMORY_MB", 128) * 1024**2
for _folder in (RUNS_DIR, MODELS_DIR, SPOOL_DIR, RUN_DIR, HUB_HOME / "static"):
    _folder.mkdir(parents=True, exist_ok=True)
STARTER_WEIGHTS = BASE_DIR / "slmhub" / "ml" / "starter" / "weights"
SPECIALIST_SERVER_PORT = env.whole("HUB_SPECIALIST_PORT", PORT + 1)
SPECIALIST_SERVER_URL = env.text("HUB_SPECIALIST_URL", f"http://127.0.0.1:{SPECIALIST_SERVER_PORT}")
DEMO_TEACHER_PORT = env.whole("HUB_DEMO_TEACHER_PORT", PORT + 2)
DEMO_TEACHER_URL = f"http://127.0.0.1:{DEMO_TEACHER_PORT}"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("HUB_LOG_LEVEL", "WARNING")},
}
