"""The second factor that a clinic may require from its admins or from all members, and the sealing of its secrets.

API keys need no second factor. allauth stores the secrets in its column, sealed by these functions.
"""

import base64
from collections.abc import Iterator
from typing import Final

from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from companion.clinics.access import Caller
from companion.clinics.models import Demand, Role
from companion.clinics.providers import comes_by_provider
from companion.clinics.sealed import HEAD_BYTES, CannotOpen, key_of, reseal, seal, sealed_now, unseal

_PURPOSE: Final = "mfa.Authenticator.data"
_SEALED: Final = ("secret", "seed")
"""The entries of allauth's column that are sealed: an authenticator app's secret, the seed of recovery codes."""


def has_one(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the person has an authenticator app or a passkey. Recovery codes alone don't count."""
    return bool(_factors_of(user.pk).exists())


def is_the_only_one(authenticator: Authenticator) -> bool:
    """Return whether this app or passkey is the person's only second factor."""
    return [factor.pk for factor in _factors_of(authenticator.user_id)] == [authenticator.pk]


def _factors_of(user: int | None) -> QuerySet[Authenticator]:
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    found: QuerySet[Authenticator] = Authenticator.objects.filter(user_id=user, type__in=kinds)
    return found


def is_missing(caller: Caller, user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the clinic requires a second factor from this member, who has none."""
    if comes_by_provider(user):
        # The clinic's sign-in service asks for the second factor.
        return False
    match caller.clinic.second_factor:
        case Demand.ALL:
            return not has_one(user)
        case Demand.ADMINS:
            return caller.role == Role.ADMIN and not has_one(user)
        case _:
            return False


def seal_secret(text: str) -> str:
    """Seal a secret for allauth's column."""
    return base64.b64encode(seal(text, _PURPOSE)).decode()


def open_secret(sealed: str) -> str:
    """Open a secret that `seal_secret` has sealed. Raises CannotOpen."""
    return unseal(base64.b64decode(sealed), _PURPOSE)


def keys_of_secrets() -> Iterator[str]:
    """The id of the key of each sealed secret; "" for a secret from before keys had ids."""
    for data in Authenticator.objects.values_list("data", flat=True).iterator():
        yield from (key_of(base64.b64decode(data[name])[:HEAD_BYTES]) for name in _SEALED if name in data)


def reseal_secrets() -> Iterator[bool]:
    """Seal all secrets again with the key in use. Yields for each row whether its secrets could be opened."""
    for pk, data in Authenticator.objects.values_list("pk", "data").iterator():
        stored = {name: base64.b64decode(data[name]) for name in _SEALED if name in data}
        if all(value.startswith(sealed_now()) for value in stored.values()):
            continue
        try:
            new = {name: base64.b64encode(reseal(value, _PURPOSE)).decode() for name, value in stored.items()}
        except CannotOpen:
            yield False
        else:
            # A row that has changed since it was read (a recovery code was used) is left to the next run.
            Authenticator.objects.filter(pk=pk, data=data).update(data=data | new)
            yield True
