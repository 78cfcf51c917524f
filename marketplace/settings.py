"""One file of settings. Each variable goes through a reader of `marketplace.env` that rejects nonsense."""

import hmac
import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from botocore.config import Config
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from exchanges.vault import read_keys
from marketplace.env import Environment, read_environment
from marketplace.refusals import without_traceback

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / ".local"
env = Environment(read_environment(os.environ, STATE_DIR / "env"))

# --- core ------------------------------------------------------------------------------------------
DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.text("SECRET_KEY")
PUBLIC_URL = env.url("PUBLIC_URL", schemes=("http", "https"))
DEMO = env.boolean("DEMO", False)  # seeds demo people and bots; `make run` turns it on
DEMO_PASSWORD = env.text("DEMO_PASSWORD", "")

_public = urlsplit(PUBLIC_URL)
IS_PUBLIC_HTTPS = _public.scheme == "https"
LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = [_public.hostname or ""] if IS_PUBLIC_HTTPS else [_public.hostname or "", *LOOPBACK_HOSTS]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

INSTALLED_APPS = [
    "execution",
    "subscriptions",
    "bots",
    "exchanges",
    "accounts",
    "accounts.apps.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_celery_beat",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "marketplace",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "marketplace.only_utf8.only_utf8",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "marketplace.nothing_done.nothing_done",
]
ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"
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
                "django.template.context_processors.csp",
            ],
        },
    },
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- data ------------------------------------------------------------------------------------------
DATABASES = {
    "default": {
        **env.database("DATABASE_URL"),
        "ENGINE": "marketplace.database",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss"))
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL},
    # each process its own, which costs no round trip; see accounts.moment
    "pages": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 200},
    },
}

AWS_ACCESS_KEY_ID = env.text("AWS_ACCESS_KEY_ID", "")
AWS_SECRET_ACCESS_KEY = env.text("AWS_SECRET_ACCESS_KEY", "")
AWS_REGION = env.pattern(
    "AWS_REGION", "us-east-1", allowed=r"[a-z]+(-[a-z0-9]+)+", expected="a region's name"
)
S3_BUCKET_NAME = env.pattern(
    "S3_BUCKET_NAME", "", allowed=r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", expected="a bucket's name"
)
S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL", "")  # for S3-compatible servers
if S3_ENDPOINT_URL:
    env.url("S3_ENDPOINT_URL", schemes=("http", "https"))
if bool(AWS_ACCESS_KEY_ID) != bool(AWS_SECRET_ACCESS_KEY):
    raise ImproperlyConfigured(
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set both or neither."
    )
if AWS_ACCESS_KEY_ID and not S3_BUCKET_NAME:
    raise ImproperlyConfigured(
        "S3_BUCKET_NAME: expected a bucket's name beside AWS_ACCESS_KEY_ID, got nothing."
    )
ARTIFACTS_DIR = Path(env.text("ARTIFACTS_DIR", str(STATE_DIR / "artifacts")))
_local_artifacts = {
    "BACKEND": "bots.object_stores.VersionedFolder",
    "OPTIONS": {"location": ARTIFACTS_DIR},
}
ARTIFACT_CACHE_DIR = Path(env.text("ARTIFACT_CACHE_DIR", str(STATE_DIR / "cache" / "artifacts")))
ARTIFACT_CACHE_MB = env.integer("ARTIFACT_CACHE_MB", 512, minimum=0, maximum=1_048_576)
CANDLES_DIR = Path(env.text("CANDLES_DIR", str(STATE_DIR / "candles")))
LOCAL_CANDLES = {
    "BACKEND": "exchanges.candle_store.WholeFileStorage",
    "OPTIONS": {"location": CANDLES_DIR},
}
S3_ENCRYPTION = env.text("S3_ENCRYPTION", "AES256", choices=("AES256", "aws:kms", "none"))
S3_KMS_KEY_ID = env.text("S3_KMS_KEY_ID", "")  # empty: the account's own key for S3
if S3_KMS_KEY_ID and S3_ENCRYPTION != "aws:kms":
    raise ImproperlyConfigured("S3_KMS_KEY_ID: expected S3_ENCRYPTION to be aws:kms beside it.")
STORAGE_OPTIONS = {
    "bucket_name": S3_BUCKET_NAME,
    "access_key": AWS_ACCESS_KEY_ID or None,  # None leaves it to the machine's role
    "secret_key": AWS_SECRET_ACCESS_KEY or None,
    "region_name": AWS_REGION,
    "endpoint_url": S3_ENDPOINT_URL or None,
    "client_config": Config(
        signature_version="s3v4",  # without it links have an outdated form at a custom endpoint
        s3={"addressing_style": "path"},
        connect_timeout=5,  # seconds
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
    ),
    "object_parameters": {
        **({} if S3_ENCRYPTION == "none" else {"ServerSideEncryption": S3_ENCRYPTION}),
        **({"SSEKMSKeyId": S3_KMS_KEY_ID} if S3_KMS_KEY_ID else {}),
    },
    "default_acl": None,
    "file_overwrite": False,
    "querystring_expire": 60,  # seconds that a link is valid
}
CANDLE_STORAGE_OPTIONS = {**STORAGE_OPTIONS, "location": "candles", "file_overwrite": True}

# --- static files ----------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("vendor", STATE_DIR / "vendor")]  # set-up fills the second one
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "artifacts": (
        {"BACKEND": "bots.object_stores.VersionedBucket", "OPTIONS": STORAGE_OPTIONS}
        if S3_BUCKET_NAME
        else _local_artifacts
    ),
    "candles": (
        {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": CANDLE_STORAGE_OPTIONS}
        if S3_BUCKET_NAME
        else LOCAL_CANDLES
    ),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

FILE_UPLOAD_HANDLERS = ["marketplace.whole_uploads.WholeUploadHandler"]

# --- people ----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "execution:dashboard"
LOGOUT_REDIRECT_URL = "bots:catalogue"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"  # otherwise sign-up tells anyone whether an address has an account
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_USERNAME_BLACKLIST = ["admin", "staff", "support", "moderator"]
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300  # seconds for which a password opens what asks for it again
MFA_ADAPTER = "accounts.second_factor.Adapter"
MFA_TOTP_ISSUER = "Bot Marketplace"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
if "EMAIL_URL" in env.values:
    vars().update(env.email("EMAIL_URL", ""))
else:
    EMAIL_BACKEND = "accounts.mail.ReadableFileBackend"
    EMAIL_FILE_PATH = STATE_DIR / "mail"
OPERATOR_EMAIL = env.text("OPERATOR_EMAIL", "")
NOTIFICATION_RECEIVER = ""  # a test's own server, in the place of every service that people are told by
ADMINS = [OPERATOR_EMAIL] if OPERATOR_EMAIL else []  # told when bots cannot be run
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"marketplace@{_public.hostname}")

# --- the API ---------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api_access.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "accounts.api_access.WritesWithFullToken",
    ],
    "DEFAULT_PARSER_CLASSES": ["marketplace.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "marketplace.api.pages.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,  # the schema describes it, to those who may see it
    "EXCEPTION_HANDLER": "marketplace.api.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "SIGNING_KEY": hmac.digest(SECRET_KEY.encode(), b"tokens of the API", "sha256").hex(),
    "ISSUER": PUBLIC_URL,
    "AUDIENCE": "api",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Bot marketplace",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
}

# --- security --------------------------------------------------------------------------------------
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "manifest-src": [CSP.SELF],
    "worker-src": [CSP.SELF],
}
SESSION_COOKIE_SECURE = IS_PUBLIC_HTTPS
CSRF_COOKIE_SECURE = IS_PUBLIC_HTTPS
SECURE_SSL_REDIRECT = IS_PUBLIC_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # probes speak plain HTTP from inside
SECURE_HSTS_SECONDS = 31_536_000 if IS_PUBLIC_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_PUBLIC_HTTPS
SECURE_HSTS_PRELOAD = IS_PUBLIC_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.boolean("TRUST_PROXY", False) else None
X_FRAME_OPTIONS = "DENY"
_DEBUG_KEYS = f"debug:{'A' * 43}=" if DEBUG else None  # secrets of its own are needed without DEBUG
AUDIT_KEYS = read_keys(
    env.text("AUDIT_KEYS", _DEBUG_KEYS), name="AUDIT_KEYS"
)  # a log needs all it was sealed by

# --- the market ------------------------------------------------------------------------------------
EXCHANGES = ("BINANCE", "COINBASE", "KRAKEN")
SUPPORTED_EXCHANGES = env.listing("SUPPORTED_EXCHANGES", ",".join(EXCHANGES), choices=EXCHANGES)
DEFAULT_EXCHANGE = env.text("DEFAULT_EXCHANGE", SUPPORTED_EXCHANGES[0], choices=SUPPORTED_EXCHANGES)
EXCHANGE_TESTNET_MODE = env.boolean("EXCHANGE_TESTNET_MODE", True)  # forbids live accounts
VAULT_KEYS = read_keys(env.text("VAULT_KEYS", _DEBUG_KEYS))
MARKET_DATA = env.text("MARKET_DATA", "live", choices=("live", "simulator"))
EXCHANGE_SIMULATOR_URL = env.text("EXCHANGE_SIMULATOR_URL", "")
EGRESS_ADDRESS = env.text("EGRESS_ADDRESS", "default")  # names the address that the exchanges see
if MARKET_DATA == "simulator":
    EXCHANGE_SIMULATOR_URL = env.url("EXCHANGE_SIMULATOR_URL", schemes=("http",))

# --- bots at work ----------------------------------------------------------------------------------
BOT_EXECUTION_TIMEOUT = env.integer("BOT_EXECUTION_TIMEOUT", 300, minimum=1, maximum=3600)  # seconds
BOT_MAX_MEMORY_MB = env.integer("BOT_MAX_MEMORY_MB", 512, minimum=64, maximum=65_536)
BOT_MAX_CPU_PERCENT = env.integer("BOT_MAX_CPU_PERCENT", 50, minimum=1, maximum=100)
BOT_SANDBOX_ENGINE = env.text("BOT_SANDBOX_ENGINE", "auto", choices=("auto", "bubblewrap", "landlock"))
BOT_CGROUP = env.text("BOT_CGROUP", "")  # a folder of cgroup v2 that is delegated to the workers
BOT_BATCHES = env.boolean("BOT_BATCHES", False)  # one process for all settings of a stateless version
BACKTEST_TIMEOUT = env.integer("BACKTEST_TIMEOUT", 600, minimum=10, maximum=86_400)  # seconds, of the bot
BOT_CODE_INSPECTION = "execution.sandbox.inspect_apart"  # that uploads are looked at with
BOT_RUNTIME_DIR = Path(env.text("BOT_RUNTIME_DIR", str(STATE_DIR / "runtime")))
PAPER_RUN_CYCLE_DAYS = env.integer("PAPER_RUN_CYCLE_DAYS", 30, minimum=1, maximum=36_500)  # then thinned
DEVELOPER_MAX_BOTS = env.integer("DEVELOPER_MAX_BOTS", 50, minimum=1, maximum=10_000)  # but for retired ones
DEVELOPER_MAX_UNPUBLISHED_MB = env.integer(  # of files, of all versions that were never offered
    "DEVELOPER_MAX_UNPUBLISHED_MB", 2560, minimum=1, maximum=1_000_000
)
DEVELOPER_MAX_DRAFTS = env.integer("DEVELOPER_MAX_DRAFTS", 20, minimum=1, maximum=10_000)  # of all their bots

# --- limits that neither a trader nor a bot can lift: keys of RiskConfig, None is off ----------------
PLATFORM_RISK_LIMITS = {
    "stop_loss_percent": env.optional_percent("RISK_MAX_STOP_LOSS_PERCENT"),
    "trailing_stop_percent": env.optional_percent("RISK_MAX_TRAILING_STOP_PERCENT"),
    "max_position_size": env.optional_percent("RISK_MAX_POSITION_SIZE_PERCENT"),
    "max_daily_loss_percent": env.optional_percent("RISK_MAX_DAILY_LOSS_PERCENT"),
    "max_drawdown_percent": env.optional_percent("RISK_MAX_DRAWDOWN_PERCENT"),
    "cool_down_minutes": env.optional_integer("RISK_MIN_COOL_DOWN_MINUTES", minimum=1, maximum=10_080),
    "max_orders_per_day": env.optional_integer("RISK_MAX_ORDERS_PER_DAY", 200, minimum=1, maximum=1000),
}

# --- background work -------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_ROUTES = {  # live cycles never wait for these
    "execution.tasks.run_backtest": {"queue": "backtests"},
    "execution.tasks.run_gate": {"queue": "gates"},
    "execution.tasks.measure_performance": {"queue": "backtests"},
    "execution.tasks.thin_paper_runs": {"queue": "backtests"},
    "execution.tasks.run_replay": {"queue": "backtests"},
    "execution.tasks.run_comparison": {"queue": "backtests"},
}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# a page that enqueues something answers soon when there is no broker
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # seconds; an edit of a schedule in the admin is seen within it
DJANGO_CELERY_BEAT_TZ_AWARE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"refusals": {"()": "django.utils.log.CallbackFilter", "callback": without_traceback}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "operator": {"class": "django.utils.log.AdminEmailHandler", "level": "CRITICAL"},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    # these write keys, signatures and tokens at DEBUG
    "loggers": {
        "ccxt": {"level": "WARNING"},
        "apprise": {"level": "WARNING"},
        "django.request": {"filters": ["refusals"]},
        "execution.alarms": {"handlers": ["operator"]},
    },
}
