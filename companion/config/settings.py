"""Django's settings, in this order: environment, apps, web, database, accounts, mail, languages, files, logs."""

import sys

import pysqlite3

# The interpreter's SQLite may be a version that can corrupt a WAL database (sqlite.org, "The WAL Reset Bug"). It is
# replaced here, before Django's backend is loaded.
sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

from pathlib import Path  # noqa: E402  (after the exchange above)

from companion.clinics import provider_file  # noqa: E402  (as above)
from companion.config import secret_keys  # noqa: E402  (as above)
from companion.config.databases import postgresql, sqlite  # noqa: E402  (as above)
from companion.config.environment import Environment  # noqa: E402  (as above)
from companion.config.logging import logging_settings  # noqa: E402  (as above)

PACKAGE = Path(__file__).resolve().parent.parent
COMPANION = Environment()
DATA_DIR = COMPANION.data_dir.resolve()
SANDBOX_ON = COMPANION.sandbox
DRILL = COMPANION.drill
# A sign-in service is an outside address, which must not be called in a drill.
OIDC_PROVIDERS = provider_file.read(COMPANION.oidc_file) if COMPANION.oidc_file and not DRILL else {}
JOURNAL_DIR = COMPANION.journal_dir.resolve() if COMPANION.journal_dir else DATA_DIR / "journal"
_secret_keys = secret_keys.known(COMPANION, DATA_DIR)
SECRET_KEY, *SECRET_KEY_FALLBACKS = _secret_keys.keys
SECRET_KEYS_FILE, SECRET_KEYS_FILE_IS_OURS = _secret_keys.file, _secret_keys.ours
DEBUG = False

INSTALLED_APPS = [
    "companion.service",
    "companion.sandbox",
    "companion.clinics",
    "companion.webhooks",
    "companion.patients",
    "companion.schedules",
    "companion.listener",
    "companion.restoring",
    "companion.panel",
    "companion.api",
    "companion.web",
    "ninja",  # serves the files of its reference page, so that the page loads nothing from other servers
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "allauth.mfa",
    "allauth.socialaccount",
    "django_htmx",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
]

MIDDLEWARE = [
    "companion.config.middleware.no_body_for_head",
    "companion.config.middleware.plain_cookies",
    "companion.config.middleware.access_log",
    "django.middleware.security.SecurityMiddleware",
    "companion.web.answer_headers.answer_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "companion.api.problems.problem_pages",
    "companion.api.limits.limits",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "companion.web.account.session_ends.session_ends",
    "companion.web.strangers_bodies.strangers_bodies",
    "companion.web.account.provider.no_local_password",
]

ROOT_URLCONF = "companion.config.urls"
WSGI_APPLICATION = "companion.config.wsgi.application"
APPEND_SLASH = False
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Each folder of web/ keeps its pages beside its code; allauth's own templates are found in its app.
        "DIRS": [PACKAGE / "web"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["companion.web.templatetags.forms"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "companion.web.context.page",
            ],
        },
    },
]

ALLOWED_HOSTS = COMPANION.allowed_hosts
CSRF_TRUSTED_ORIGINS = [COMPANION.base_url] if COMPANION.base_url else []
_https = COMPANION.base_url.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if _https else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
# A browser accepts a cookie with this prefix only by https, for this host alone and for all its paths.
_cookie_prefix = "__Host-" if _https else ""
SESSION_COOKIE_NAME = f"{_cookie_prefix}sessionid"
CSRF_COOKIE_NAME = f"{_cookie_prefix}csrftoken"
SESSION_COOKIE_HTTPONLY = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = round(COMPANION.session_hours * 60 * 60)
CSRF_FAILURE_VIEW = "companion.web.trouble.stale_form"
# Sentences for the next page are stored in the session's row: a patient's name in them must not be in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

DATABASES = {
    "default": postgresql(COMPANION.database_url.get_secret_value())
    if COMPANION.database_url
    else sqlite(DATA_DIR / "companion.sqlite3")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
# The second hasher reads older passwords. At the person's next sign-in the password is hashed by the first.
PASSWORD_HASHERS = [
    "companion.clinics.passwords.Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "companion.clinics.password_words.ContextWordsValidator"},
]
ACCOUNT_ADAPTER = "companion.web.account.adapter.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_FORMS = {"change_password": "companion.web.account.passwords.PasswordForm"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
# Sign-ins and codes are counted by web/account/backoff.py; passkeys hold nothing that can be guessed.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
MFA_RATE_LIMITS = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
# allauth stores wrong and used codes in the cache. The cache is in the database, so that all web processes share it.
CACHES = {"default": {"BACKEND": "companion.web.json_cache.JsonCache"}}
SOCIALACCOUNT_ADAPTER = "companion.clinics.provider_calls.Adapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
MFA_ADAPTER = "companion.web.account.second_factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "activate_totp": "companion.web.account.second_factors.NewAppForm",
    "authenticate": "companion.web.account.second_factors.CodeForm",
    "reauthenticate": "companion.web.account.second_factors.CodeAgainForm",
    "authenticate_webauthn": "companion.web.account.second_factors.PasskeyForm",
    "reauthenticate_webauthn": "companion.web.account.second_factors.PasskeyAgainForm",
    "login_webauthn": "companion.web.account.second_factors.PasskeySignInForm",
    "add_webauthn": "companion.web.account.second_factors.NewPasskeyForm",
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "messages"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL

_mail = COMPANION.mail_server
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.tls_at_once, _mail.starttls
EMAIL_TIMEOUT = 5
EMAIL_BACKEND = f"django.core.mail.backends.{'dummy' if DRILL else 'smtp'}.EmailBackend"
DEFAULT_FROM_EMAIL = COMPANION.mail_from

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
# WhiteNoise serves each file from its package, so no files are collected. With a root that is missing it would warn.
STATIC_ROOT = None
NODE_MODULES = PACKAGE.parent / "node_modules"
STATICFILES_DIRS = [
    ("tabler", NODE_MODULES / "@tabler" / "core" / "dist"),
]
WHITENOISE_USE_FINDERS = True
# Other sites' scripts have no use for our static files (no CORS headers).
WHITENOISE_ALLOW_ALL_ORIGINS = False

LOGGING_CONFIG = "companion.config.logging.configure"
LOGGING = logging_settings(json=COMPANION.log == "json", level=COMPANION.log_level)
