"""All settings from the environment, read once and typed.

docs/operations.md describes them. Each setting can also be read from a `.env` file beside the checkout's pyproject.toml
(COMPANION_ENV_FILE names another file).
"""

import ipaddress
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from pydantic import Field, HttpUrl, SecretStr, TypeAdapter, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from companion.clinics import provider_file
from companion.config.mail_server import MailServer, smtp
from companion.config.secret_files import with_secrets_of_files
from companion.service.client_address import Network, read_networks
from companion.telegram import proxy

_PACKAGE: Final = Path(__file__).resolve().parent.parent
ROOT: Final = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()
"""The checkout, so that commands find settings and data from any folder; without a checkout, the working folder."""
_ENV_FILE: Final = os.environ.get("COMPANION_ENV_FILE", ROOT / ".env")
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  (compared with, not bound to)
_IN_FILES: Final = (
    "database_url",
    "telegram_bot_token",
    "telegram_proxy",
    "smtp_url",
    "backup_passphrase",
    "other_secret_keys",
)
"""Secrets that may be in a file, which COMPANION_…_FILE names. secret_keys.py reads secret_key and its file."""
Positive = Annotated[float, Field(gt=0)]


class Environment(BaseSettings):
    """The effective settings. A wrong value stops the start with a sentence that names the variable."""

    model_config = SettingsConfigDict(
        env_prefix="COMPANION_", env_file=_ENV_FILE, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = ROOT / "data"
    database_url: SecretStr | None = None
    """A libpq URI. Secret, because it may hold a password. Unset: SQLite in the data folder."""
    secret_key: SecretStr | None = None
    """The key in use, or several, a key on each line, the key in use first (config/secret_keys.py)."""
    secret_key_file: Path | None = None
    secret_key_command: str = ""
    """A command, run without a shell, whose output is the keys."""
    other_secret_keys: SecretStr | None = None
    """Keys that only open values that they sealed earlier, with spaces between them."""
    base_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    telegram_api_url: str = ""
    """Unset: the Sandbox if it is on, else Telegram's own address."""
    telegram_proxy: SecretStr | None = None
    """The HTTP proxy for the Bot API. Secret, because it may hold a password. Unset: the proxy in HTTPS_PROXY."""
    telegram_bot_token: SecretStr | None = None
    sandbox: bool = False
    rate_per_second: Positive = 30
    rate_per_chat: Positive = 1
    concurrency: int = Field(default=100, ge=1, le=10_000)
    lease_seconds: float = Field(default=60, ge=5)
    wake_seconds: float = Field(default=60, ge=0.1)
    health_port: int = Field(default=0, ge=0, le=65535)
    idle_minutes: float = Field(default=30, ge=1, le=24 * 60)
    """A session ends after this many minutes in which its person did nothing."""
    session_hours: float = Field(default=12, ge=0.1, le=24 * 7)
    """A session ends this many hours after the sign-in in any case."""
    calls_per_minute: int = Field(default=6000, ge=1, le=1_000_000)
    """The calls that each API key may make in a minute."""
    trusted_proxies: str = "127.0.0.1, ::1"
    """The networks of our proxies, whose X-Forwarded-For is believed."""
    oidc_file: Path | None = None
    """The file that names the clinics' sign-in services (OpenID Connect)."""
    smtp_url: SecretStr | None = None
    """The mail server for alerts. Secret, because the address may hold a password. Unset: no e-mail is sent."""
    email_from: str = ""
    security_contact: str = ""
    """The address in /.well-known/security.txt: mailto:, https: or tel:. Unset: security@ the pages' host."""
    webhook_private_networks: bool = False
    """True if webhooks may go to private networks, and there also by http."""
    fhir_private_networks: bool = False
    """True if a FHIR server that an admin sets on a page may be in a private network."""
    media_days: int = Field(default=90, ge=1, le=36_500)
    """The days for which a patient's photo, voice note or document can be opened; then it is deleted."""
    backup_dir: Path | None = None
    """The folder to which backups are written. A check looks at their age, and reads nothing else."""
    journal_dir: Path | None = None
    """The folder of this host's Journals. Unset: the folder `journal` in the data folder."""
    journal_days: int = Field(default=35, ge=1, le=3650)
    """The days for which the Journal's files are kept: more than the age of the oldest backup that may be restored."""
    backup_passphrase: SecretStr | None = None
    """Encrypts and opens backups if no age key is given."""
    drill: bool = False
    """True in a drill: the services run on a restored copy, and send nothing."""
    database_url_file: Path | None = None
    telegram_bot_token_file: Path | None = None
    smtp_url_file: Path | None = None
    backup_passphrase_file: Path | None = None
    other_secret_keys_file: Path | None = None
    log: Literal["json", "text"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, given: dict[str, object]) -> dict[str, object]:
        return with_secrets_of_files(given, _IN_FILES)

    @field_validator("host")
    @classmethod
    def _a_host(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.-]+", value) and not _is_ipv6(value):
            raise ValueError("no name or address of a machine")
        return value

    @field_validator("base_url", "telegram_api_url")
    @classmethod
    def _an_http_address(cls, value: str) -> str:
        if value and (not value.isprintable() or " " in value):
            raise ValueError("no http address")
        if value:
            TypeAdapter(HttpUrl).validate_python(value)
            # Later readers take it apart by this function, which refuses brackets that pydantic takes.
            urlsplit(value)
        return value.rstrip("/")

    @field_validator("telegram_proxy")
    @classmethod
    def _a_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            proxy.check(value.get_secret_value())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        read_networks(value)
        return value

    @field_validator("oidc_file")
    @classmethod
    def _providers(cls, value: Path | None) -> Path | None:
        if value:
            provider_file.read(value)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            smtp(value.get_secret_value())
        return value

    @field_validator("email_from")
    @classmethod
    def _an_email_address(cls, value: str) -> str:
        if value and not (value.isprintable() and re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value)):
            raise ValueError("no e-mail address")
        return value

    @field_validator("security_contact")
    @classmethod
    def _a_contact(cls, value: str) -> str:
        known = re.fullmatch(r"(mailto:[^@\s]+@[^@\s]+|https://\S+|tel:[+\d().-]+)", value)
        if value and not (value.isprintable() and known):
            raise ValueError("no mailto:, https: or tel: address")
        return value

    @property
    def other_keys(self) -> list[str]:
        """The secret keys that only open values that they sealed earlier."""
        return self.other_secret_keys.get_secret_value().split() if self.other_secret_keys else []

    @property
    def on_loopback(self) -> bool:
        """Return whether the pages are bound to this machine alone."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def security_contact_uri(self) -> str:
        """The contact of the settings, else the mailbox that RFC 2142 names for security."""
        return self.security_contact or f"mailto:security@{urlsplit(self.public_url).hostname}"

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of our proxies."""
        return read_networks(self.trusted_proxies)

    @property
    def public_url(self) -> str:
        """The address of the pages for people, without a slash at the end."""
        return self.base_url or f"http://{_in_url(self.host)}:{self.port}"

    @property
    def mail_server(self) -> MailServer:
        """The mail server; without a host if none is set."""
        return smtp(self.smtp_url.get_secret_value()) if self.smtp_url else MailServer()

    @property
    def mail_from(self) -> str:
        """The sender of alerts' e-mails."""
        return self.email_from or f"companion@{urlsplit(self.public_url).hostname}"

    @property
    def allowed_hosts(self) -> list[str]:
        """The host names under which pages answer: any name if HOST means all interfaces and BASE_URL is not set."""
        if not self.base_url and self.host in _EVERYWHERE:
            return ["*"]
        return [urlsplit(self.public_url).hostname or self.host, "127.0.0.1", "localhost", "[::1]"]

    @property
    def bot_api_url(self) -> str:
        """The Bot API's address: the address of the settings, else the Sandbox if it is on, else Telegram."""
        if self.telegram_api_url:
            return self.telegram_api_url
        here = "127.0.0.1" if self.host in _EVERYWHERE else _in_url(self.host)
        return f"http://{here}:{self.port}/sandbox" if self.sandbox else "https://api.telegram.org"

    @property
    def bot_api_proxy(self) -> str:
        """The HTTP proxy for the Bot API: the proxy of the settings, else HTTPS_PROXY; "" for none.

        The Sandbox needs none. Raises ValueError, which never quotes the address.
        """
        if self.sandbox and not self.telegram_api_url:
            return ""
        if self.telegram_proxy:
            return self.telegram_proxy.get_secret_value()
        parts = urlsplit(self.bot_api_url)
        known = getproxies_environment()
        if parts.scheme != "https" or "https" not in known or proxy_bypass(parts.netloc, known):
            return ""
        found = known["https"] if "://" in known["https"] else f"http://{known['https']}"
        try:
            proxy.check(found)
        except ValueError:
            raise ValueError(_HTTPS_PROXY) from None
        return found


_HTTPS_PROXY: Final = (
    "COMPANION_TELEGRAM_PROXY must be set, or HTTPS_PROXY must be an address like http://proxy.clinic.example:3128: "
    "another kind of proxy can't be used for Telegram."
)


def _is_ipv6(host: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
