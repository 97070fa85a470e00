"""API keys: make a key, find its owner, revoke it. The key itself is shown once; only its hash is stored."""

import datetime as dt
import hashlib
import secrets
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.members import command_line, read_role
from companion.clinics.models import ApiKey, Clinic, Role
from companion.clinics.refusals import Problem, Refused

PREFIX: Final = "ack_"
"""The prefix by which people recognise a leaked key."""
_NOTED_EVERY: Final = dt.timedelta(minutes=1)


def make_key(clinic: Clinic, name: str, role: str, *, now: dt.datetime, by: Caller | None = None) -> tuple[ApiKey, str]:
    """Make a key and its secret, which can't be shown again. `by` is the admin who makes it (None: the command line).

    Raises Refused, also if the name was ever used for a key, and NotAllowed.
    """
    caller = by or command_line(clinic)
    caller.needs(Role.ADMIN)
    read, wanted = _name(name), read_role(role)
    # For 256 random bits a plain hash is as good as a slow one.
    secret = PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            key = ApiKey.objects.create(
                clinic=clinic, name=read, role=wanted, secret_hash=_hash(secret), created_at=now
            )
            audit.record(caller, "API key made", "api_key", key.id, now=now)
    except IntegrityError:
        raise Refused(Problem("name", "There is or was an API key of this name. Choose another.")) from None
    return key, secret


def secret_of(header: str) -> str:
    """The secret in an `Authorization` header; empty if it holds none."""
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and secret.isascii() and secret.isprintable() else ""


def caller_of_key(secret: str, *, now: dt.datetime) -> Caller | None:
    """The caller to whom the key belongs; None if it is unknown or revoked. Its use is noted at most once a
    minute.
    """
    # The surrogates of a header that was not UTF-8 can't be encoded.
    if not secret.isascii():
        return None
    key = ApiKey.objects.select_related("clinic").filter(secret_hash=_hash(secret), revoked_at__isnull=True).first()
    if key is None:
        return None
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _NOTED_EVERY)
    if key.last_used_at is None or key.last_used_at < now - _NOTED_EVERY:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return Caller(key.clinic, "key", key.id, key.name, Role(key.role))


def revoke(caller: Caller, key: ApiKey, *, now: dt.datetime) -> None:
    """End the key at once and for good; its name stays taken, because old audit entries carry it. Raises
    NotAllowed.
    """
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        if ApiKey.objects.filter(clinic=caller.clinic, pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
            audit.record(caller, "API key revoked", "api_key", key.id, now=now)


def _name(name: str) -> str:
    read = name.strip()
    if not read or len(read) > 100 or not read.isprintable():
        raise Refused(Problem("name", "Name the program that uses this key, in 1 to 100 characters."))
    return read


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
