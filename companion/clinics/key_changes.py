"""Changes of the key ring: add a key, use it later, when all services know it, and drop a key that is no longer needed.

The product changes the keys only if they are in the file of the data folder. If they are in a variable, in another
file, or given by a command, the operator changes them, and these functions say how.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from companion.clinics import audit, resealing
from companion.clinics.members import command_line
from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict, Unknown
from companion.service import key_ring
from companion.service.heartbeat import living
from companion.service.key_file import keys_in, write
from companion.service.key_ring import Key, ring
from companion.service.models import UsedKey

_NOT_OURS: Final = "The secret keys are not in the data folder: "
FIRST_KNOWN: Final = (
    "add it behind the present keys (in COMPANION_OTHER_SECRET_KEYS, or as the last line of the file or of the "
    "command's output) for every service and command, and restart the services"
)
THEN_USED: Final = (
    "put it before the others (as COMPANION_SECRET_KEY, with the former key in COMPANION_OTHER_SECRET_KEYS, or as the "
    "first line of the file or of the command's output), and restart the services"
)


def make() -> Key:
    """Make a new secret key, which no service knows yet."""
    secret = secrets.token_urlsafe(64)
    return Key(secret, key_ring.key_id(secret))


def add(key: Key, *, now: dt.datetime) -> None:
    """Add the new key to the file, after the present keys.

    Raises Conflict if the keys are not in the data folder, or are another folder's.
    """
    check_none_missing()
    file = _own_file(f"{_NOT_OURS}{FIRST_KNOWN}.")
    _record(f"secret key {key.id} added", now, audit.differences({}, {"known key": key.id}))
    write(file, [*keys_in(file.read_text()), key.secret])


def use(key_id: str, *, now: dt.datetime) -> None:
    """Seal and sign with this key from now on. Raises Conflict if a running service doesn't know it, and Unknown."""
    check_none_missing()
    file = _own_file(f"{_NOT_OURS}to use another key, {THEN_USED}.")
    key = _known(key_id)
    if ignorant := _services(now, lambda state: key_id in _ids(state.get("keys"))):
        raise Conflict(
            f"Not every service knows the key {key_id} yet: {', '.join(ignorant)}. They read the file again within ten "
            f"seconds; restart those that don't."
        )
    changes = audit.differences({"key in use": ring().in_use.id}, {"key in use": key_id})
    others = [secret for secret in keys_in(file.read_text()) if secret != key.secret]
    # The use is recorded first, so that no key is in use without an entry. If the process is killed before the file is
    # written, no harm is done: the services know the recorded key.
    key_ring.note_use(key_id)
    _record(f"secret key {key_id} put in use", now, changes)
    write(file, [key.secret, *others])


def check_none_missing(*, but: str = "") -> None:
    """Raise Conflict if this process lacks a key, other than `but`, that sealed data here.

    Then its keys are probably those of another data folder, and the services could not open values sealed with them.
    """
    if lost := [id for id in key_ring.missing() if id != but]:
        raise Conflict(
            f"Data here was sealed with a key that is not known here ({', '.join(lost)}), so nothing was changed. Run "
            "this with the settings of the services. If it is lost for good, first run `companion keys drop --lost`."
        )


def check_all_use_it(*, now: dt.datetime) -> None:
    """Raise Conflict if a running service still seals with another key than this process."""
    in_use = ring().in_use.id
    if behind := _services(now, lambda state: state.get("key") == in_use):
        raise Conflict(
            f"The key in use here is {in_use}, but these services still use another: {', '.join(behind)}. If the key "
            f"is in a file, wait for ten seconds; otherwise restart the services."
        )


def drop(key_id: str, *, lost: bool, now: dt.datetime) -> str:
    """Drop the key. `lost`: drop it even if values need it, which can then never be read again.

    Returns a sentence about what is left to do. Raises Conflict if values need the key or it is in use, and Unknown.
    """
    if key_id == ring().in_use.id:
        raise Conflict(f"The key {key_id} is in use. Put another key in use first.")
    if using := _services(now, lambda state: state.get("key") != key_id):
        raise Conflict(f"The key {key_id} is still used by {', '.join(using)}. Restart these services first.")
    known = key_id in ring().ids
    if not known and not UsedKey.objects.filter(pk=key_id).exists():
        raise Unknown(f"There is no key {key_id}: `companion keys list` shows the keys.")
    if not lost:
        check_none_missing(but=key_id)
    needs = resealing.needed()
    wanting = {**needs.get(key_id, {}), **needs.get(resealing.BEFORE_IDS, {})}
    if wanting and not lost:
        raise Conflict(
            f"The key {key_id} is still needed by {counted(wanting)}. `companion keys rotate` seals values with the "
            f"key in use; entries of the audit trail always need the key of their time."
        )
    with transaction.atomic():
        UsedKey.objects.filter(pk=key_id).delete()
        _record(f"secret key {key_id} dropped", now, audit.differences({"known key": key_id}, {}))
    if not known:
        return ""
    if not settings.SECRET_KEYS_FILE_IS_OURS:
        return "Remove the key from the settings now, and restart the services."
    file = Path(str(settings.SECRET_KEYS_FILE))
    write(file, [secret for secret in keys_in(file.read_text()) if key_ring.key_id(secret) != key_id])
    return "It was removed from the file secret_key. Keep a copy as long as you keep backups from its time."


def record_rotation(*, now: dt.datetime) -> None:
    """Record in all clinics that all values were sealed again."""
    _record(f"sealed anew with key {ring().in_use.id}", now, audit.NO_VALUE)


def counted(needs: dict[str, int]) -> str:
    """Say which values need a key, like "clinics.OptOut 2, schedules.Attempt 340"."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(needs.items()))


def _own_file(else_say: str) -> Path:
    if not settings.SECRET_KEYS_FILE_IS_OURS:
        raise Conflict(else_say)
    return Path(str(settings.SECRET_KEYS_FILE))


def _known(key_id: str) -> Key:
    found = ring().called(key_id)
    if found is None:
        raise Unknown(f"There is no key {key_id} here: `companion keys list` shows the keys.")
    return found


def _services(now: dt.datetime, is_right: Callable[[dict[str, object]], bool]) -> Sequence[str]:
    """The running services for whose state `is_right` is false, as people name them."""
    beats = living(now=now).order_by("kind", "host", "pid")
    return [f"{beat.kind} on {beat.host} ({beat.pid})" for beat in beats if not is_right(beat.state)]


def _ids(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _record(action: str, now: dt.datetime, changes: audit.Changes) -> None:
    key_ring.note_use(ring().in_use.id)
    with transaction.atomic():
        for clinic in Clinic.objects.order_by("id"):
            audit.record(command_line(clinic), action, "secret_key", None, now=now, changes=changes)
