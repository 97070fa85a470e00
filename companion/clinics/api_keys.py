"""API keys: make a key, find its owner, revoke it. The key itself is shown once; only its hash is stored."""

import datetime as dt
import hashlib
import secrets
from typing import Final, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from companion.clinics import audit, key_limits
from companion.clinics.access import Caller, NotAllowed
from companion.clinics.key_limits import KeyLimits, kind_here
from companion.clinics.members import command_line, read_role
from companion.clinics.models import ApiKey, Clinic, Role
from companion.clinics.refusals import Problem, Refused, Unknown
from companion.times.walls import local

PREFIX: Final = "ack_"
"""The prefix by which people recognise a leaked key; after it comes the kind of the key."""
_SHOWN: Final = 4
"""The number of a key's random characters that we store so that people recognise the key in a list."""
_AUDITED: Final = ("name", "role", "prefix", "kind", "scopes", "networks", "expires_at")
_NOTED_EVERY: Final = dt.timedelta(minutes=1)


class NewKey(NamedTuple):
    """A key that was just made, and its secret, which can't be shown again."""

    key: ApiKey
    secret: str


def make_key(
    clinic: Clinic,
    name: str,
    role: str,
    limits: KeyLimits = KeyLimits(),  # noqa: B008 (frozen)
    *,
    now: dt.datetime,
    by: Caller | None = None,
) -> NewKey:
    """Make a key and its secret. `by` is the admin who makes it (None: the command line).

    Raises NotAllowed, and Refused, also if any earlier key had this name.
    """
    caller = by or command_line(clinic)
    caller.needs(Role.ADMIN)
    read, wanted, checked, kind = _name(name), read_role(role), key_limits.read(limits, clinic, now=now), kind_here()
    # The secret has 256 random bits, so a fast hash protects it as well as a slow hash.
    random = secrets.token_urlsafe(32)
    prefix = f"{PREFIX}{kind}_{random[:_SHOWN]}"
    secret = prefix + random[_SHOWN:]
    try:
        with transaction.atomic():
            key = ApiKey.objects.create(
                clinic=clinic,
                name=read,
                role=wanted,
                secret_hash=_hash(secret),
                prefix=prefix,
                kind=kind,
                scopes=checked.scopes,
                networks=checked.networks,
                expires_at=checked.expires_at,
                created_at=now,
            )
            changes = audit.differences({}, audit.columns(key, _AUDITED))
            audit.record(caller, "API key made", "api_key", key.id, now=now, changes=changes)
    except IntegrityError:
        raise Refused(Problem("name", "There is or was an API key of this name. Choose another.")) from None
    return NewKey(key, secret)


def secret_of(header: str) -> str:
    """The secret in an `Authorization` header; empty if it holds none."""
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and secret.isascii() and secret.isprintable() else ""


def caller_of_key(secret: str, address: str, *, now: dt.datetime) -> Caller | None:
    """Return the caller to whom the key belongs; None if the key is unknown, revoked or expired.

    `address` is the client's address. The time of use is stored at most once a minute. Raises NotAllowed if the key may
    not be used from this address, or not in this installation.
    """
    # A header that was not UTF-8 holds surrogate characters, which can't be hashed.
    if not secret.isascii():
        return None
    key = ApiKey.objects.select_related("clinic").filter(secret_hash=_hash(secret), revoked_at__isnull=True).first()
    if key is None or key.clinic.archived_at or (key.expires_at and key.expires_at <= now):
        return None
    if refusal := key_limits.refusal(key, address):
        raise NotAllowed(refusal)
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _NOTED_EVERY)
    if key.last_used_at is None or key.last_used_at < now - _NOTED_EVERY:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return Caller(key.clinic, "key", key.id, key.name, Role(key.role), frozenset(key.scopes))


def keys_of(clinic: Clinic) -> QuerySet[ApiKey]:
    """The clinic's keys: those that are not revoked first, then by name."""
    return ApiKey.objects.filter(clinic=clinic).order_by(F("revoked_at").asc(nulls_first=True), "name")


def key_called(clinic: Clinic, name: str) -> ApiKey:
    """The clinic's key of this name. Raises Unknown."""
    found = next((key for key in keys_of(clinic) if key.name == name.strip()), None)
    if found is None:
        raise Unknown("There is no API key of this name. `companion key list` shows the keys.")
    return found


def state_of(key: ApiKey, *, now: dt.datetime) -> str:
    """Tell in a word whether the key works: "revoked", "expired", "until 2027-03-31" or "works"."""
    if key.revoked_at:
        return "revoked"
    if key.expires_at is None:
        return "works"
    last_day = local(key.expires_at - dt.timedelta(seconds=1), key.clinic.timezone).date()
    return "expired" if key.expires_at <= now else f"until {last_day.isoformat()}"


def revoke(caller: Caller, key: ApiKey, *, now: dt.datetime) -> None:
    """Revoke the key at once and for good. No later key may have its name, since old audit entries hold the name.

    Raises NotAllowed.
    """
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        if ApiKey.objects.filter(clinic=caller.clinic, pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
            changes = audit.differences({}, {"revoked_at": now})
            audit.record(caller, "API key revoked", "api_key", key.id, now=now, changes=changes)


def _name(name: str) -> str:
    read = name.strip()
    if not read or len(read) > 100 or not read.isprintable():
        raise Refused(Problem("name", "Name the program that uses this key, in 1 to 100 characters."))
    return read


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
