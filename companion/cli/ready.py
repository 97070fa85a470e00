"""Load Django for a command. A wrong setting is reported by a sentence that names its variable.

The sentence never shows the value, which may be a secret.
"""

import gc
import os
from typing import TYPE_CHECKING, Final

import click

from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_EXPECTED: Final = {
    "base_url": "be an address like https://companion.clinic.example",
    "telegram_proxy": "be an address like http://proxy.clinic.example:3128",
    "telegram_api_url": "be an address like https://api.telegram.org",
    "port": "be a whole number from 0 to 65535",
    "health_port": "be a whole number from 0 to 65535",
    "sandbox": "be 1 or 0",
    "rate_per_second": "be a number above 0",
    "rate_per_chat": "be a number above 0",
    "concurrency": "be a whole number from 1 to 10000",
    "lease_seconds": "be a number of seconds, at least 5",
    "wake_seconds": "be a number of seconds, at least 0.1",
    "calls_per_minute": "be a whole number from 1 to 1000000",
    "trusted_proxies": "be addresses or networks with commas between them, like 10.0.0.0/8, 192.0.2.7",
    "idle_minutes": "be a number of minutes from 1 to 1440",
    "session_hours": "be a number of hours from 0.1 to 168",
    "smtp_url": "be an address like smtp://user:password@mail.example:587, with %-escapes in the password",
    "email_from": "be an e-mail address",
    "security_contact": "begin with mailto:, https:// or tel:",
    "webhook_private_networks": "be 1 or 0",
    "fhir_private_networks": "be 1 or 0",
    "drill": "be 1 or 0",
    "journal_days": "be a whole number from 1 to 3650",
    "log": "be text or json",
    "log_level": "be debug, info, warning or error",
}
_SHOWN_AS_RAISED: Final = ("oidc_file",)
"""Settings whose validator raises a sentence that may be shown, since it quotes no value."""


def ready() -> None:
    """Load the settings and Django's apps. Raises click.ClickException if a setting is wrong."""
    # Everything that is loaded stays: a search for garbage in it finds nothing, and takes a fifth of the start's time.
    gc.disable()
    try:
        _load()
    finally:
        gc.enable()
    gc.freeze()


def _load() -> None:
    # All files that commands create hold patients' data or secrets.
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "companion.config.settings")
    # Imported here, so that `companion --help` needn't load Django.
    import django
    from django.conf import settings
    from pydantic import ValidationError

    from companion.service.crashes import log_crashes

    try:
        _ = settings.INSTALLED_APPS
        _ = settings.COMPANION.bot_api_proxy
    except ValidationError as wrong:
        raise click.ClickException(sentences(wrong)) from None
    except ValueError as wrong:
        # Our sentences name the variable and quote no value; a library's sentence might.
        sentence = str(wrong)
        raise click.ClickException(sentence if sentence.startswith("COMPANION_") else _BAD_URL) from None
    except OSError as wrong:
        raise click.ClickException(
            f"The data folder can't be written ({wrong.strerror}). Name another folder in COMPANION_DATA_DIR."
        ) from None
    django.setup()
    log_crashes()


def ready_with_tables(*, with_keys: bool = True) -> None:
    """Load Django, and check that the database answers and has its tables.

    With `with_keys` it also checks that no secret key is missing. Raises click.ClickException with what to do.
    """
    ready()
    from companion.cli import prepare

    with plain_errors():
        check_tables()
        if with_keys:
            prepare.check_keys()


def check_tables() -> None:
    """Raise click.ClickException if the database lacks tables, and Conflict if it belongs to a drill."""
    from companion.cli import prepare

    if behind := prepare.unapplied():
        lacking = "1 migration" if behind == 1 else f"{behind} migrations"
        raise click.ClickException(f"The database lacks {lacking}. Run `companion migrate` first.")
    prepare.check_drill()


_BAD_URL: Final = (
    "COMPANION_DATABASE_URL can't be read. Write it like postgresql://user:password@host:5432/companion, "
    "with %-escapes for special characters in the password."
)


def sentences(wrong: "ValidationError") -> str:
    """Return a line for each wrong setting."""
    return "\n".join(_sentence(error) for error in wrong.errors(include_input=False))


def _sentence(error: "ErrorDetails") -> str:
    sentence = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        # A sentence of ours about several settings; it quotes no value.
        return sentence
    field = str(error["loc"][0])
    if field in _SHOWN_AS_RAISED:
        return f"COMPANION_{field.upper()} {sentence}."
    return f"COMPANION_{field.upper()} must {_EXPECTED.get(field, 'have another value')}."
