"""The origin of the secret keys: a variable, a file, a command's output, or else a file in the data folder.

service/key_ring.py says what the keys are for.
"""

import secrets
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from companion.config.environment import Environment
from companion.config.secret_files import text_of
from companion.service.key_file import keys_in

_COMMAND_SECONDS: Final = 30
_ONE_OF: Final = "COMPANION_SECRET_KEY, COMPANION_SECRET_KEY_FILE and COMPANION_SECRET_KEY_COMMAND"


class Known(NamedTuple):
    """The secret keys, the key in use first, and the file to watch if they come from a file."""

    keys: Sequence[str]
    file: Path | None = None
    ours: bool = False
    """True if the file is in the data folder, so that `companion keys` may change it."""


def known(own: Environment, data_dir: Path) -> Known:
    """Return the secret keys of these settings. Raises ValueError, which names the variable and quotes no key."""
    given = own.secret_key.get_secret_value() if own.secret_key else ""
    if sum(map(bool, (given, own.secret_key_file, own.secret_key_command))) > 1:
        raise ValueError(f"{_ONE_OF}: only one of them may be set.")
    if own.secret_key_command:
        found = Known(keys_in(_output(own.secret_key_command)))
    elif own.secret_key_file:
        found = Known(keys_in(text_of(own.secret_key_file, "COMPANION_SECRET_KEY_FILE")), own.secret_key_file)
    elif given:
        # A single key keeps the spaces around it, as in the time when there could be only one key.
        found = Known(keys_in(given) if "\n" in given else [given])
    else:
        file = _made_on_first_use(data_dir)
        found = Known(keys_in(text_of(file, "COMPANION_DATA_DIR")), file, ours=True)
    if not any(key.strip() for key in found.keys[:1]):
        raise ValueError("COMPANION_SECRET_KEY or its command gives no key.")
    return found._replace(keys=list(dict.fromkeys([*found.keys, *own.other_keys])))


def _output(command: str) -> str:
    """Return the command's standard output. Its standard error goes to our standard error."""
    try:
        words = shlex.split(command)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603  (the operator's own, no shell)
    except (OSError, ValueError) as wrong:
        raise _failed(type(wrong).__name__) from None
    try:
        found, _ = process.communicate(timeout=_COMMAND_SECONDS)
    except (subprocess.TimeoutExpired, UnicodeDecodeError) as wrong:
        # subprocess.run would also wait for programs that the command has left running.
        process.kill()
        process.wait()
        late = isinstance(wrong, subprocess.TimeoutExpired)
        raise _failed(f"it took longer than {_COMMAND_SECONDS} seconds" if late else "its output is no text") from None
    if process.returncode:
        raise _failed(f"it ended with status {process.returncode}")
    return found


def _failed(why: str) -> ValueError:
    return ValueError(f"COMPANION_SECRET_KEY_COMMAND failed ({why}).")


def _made_on_first_use(data_dir: Path) -> Path:
    """Return the file of the keys in this data folder. It is created if it is missing; only its owner can read it."""
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = data_dir / f".secret_key.{secrets.token_hex(8)}"
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(64))
        # Two services may start at once. Only one of them can make the hard link, and the other never reads half a key.
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path
