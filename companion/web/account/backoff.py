"""Waiting after wrong passwords and codes, so that guessing takes years and nobody shuts anybody else out.

Counted are the tries of a pair of account and address, of an address, and of an account, in the database: all web
processes see the same. A browser in which the person has signed in before is a pair of its own, and waits for neither
the address nor the account: it stays a door during an attack.
"""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from allauth.core.exceptions import ImmediateHttpResponse
from django.http import HttpRequest
from django.shortcuts import render

from companion.clinics import accounts
from companion.clinics.models import KnownDevice
from companion.service.client_address import neighbourhood
from companion.service.clock import database_now
from companion.web.account import devices
from companion.web.models import Tries

_AGAIN: Final = 5
"""The number of new looks if others try at the same moment."""
_KEPT: Final = dt.timedelta(days=1)
SECOND_STEP: Final = "second step of "
"""Before the account's name, where codes and not passwords are tried."""


@dataclass(frozen=True, slots=True)
class _Gate:
    """A group of tries that are counted together, with the seconds that the next one has to wait."""

    key: str
    wait: Callable[[int], float]
    forgets: dt.timedelta


def _of_pair(count: int) -> float:
    """Five tries are free; then 1, 2, 4 … seconds, at most a quarter of an hour."""
    return min(2.0 ** min(count - 6, 10), 900) if count > 5 else 0


def _of_address(count: int) -> float:
    """Thirty tries are free; then at most ten seconds: many people may share an address."""
    return min(count - 30, 10) if count > 30 else 0


def _of_account(count: int) -> float:
    """A hundred tries are free, wherever they come from; then at most a minute."""
    return min(count - 100, 60) if count > 100 else 0


def begin(request: HttpRequest, account: str) -> None:
    """Count a try at this account before it is judged. Raises ImmediateHttpResponse (429) if it has to wait."""
    now = database_now()
    for gate in _gates(request, account):
        if seconds := _count(gate, now=now):
            answer = render(request, "account/wait.html", {"seconds": seconds}, status=429)
            answer["Retry-After"] = str(seconds)
            raise ImmediateHttpResponse(answer)


def succeeded(request: HttpRequest, account: str) -> None:
    """Forget the pair's wrong tries, and take the right one back elsewhere: else a guesser could reset an address."""
    pair, *others = _gates(request, account)
    Tries.objects.filter(key=pair.key).delete()
    for gate in others:
        for row in Tries.objects.filter(key=gate.key, count__gt=0):
            Tries.objects.filter(key=gate.key, count=row.count).update(count=row.count - 1)
    Tries.objects.filter(last_at__lt=database_now() - _KEPT).delete()


def _gates(request: HttpRequest, account: str) -> list[_Gate]:
    name, hour = account.strip().lower(), dt.timedelta(hours=1)
    if device := _known_device(request, name):
        return [_Gate(_key("device", name, device), _of_pair, hour)]
    address = neighbourhood(devices.address_of(request))
    return [
        _Gate(_key("pair", name, address), _of_pair, hour),
        _Gate(_key("address", address), _of_address, dt.timedelta(minutes=10)),
        _Gate(_key("account", name), _of_account, hour),
    ]


def _known_device(request: HttpRequest, name: str) -> str:
    """The hash of this browser's cookie, if the account's person has signed in here before."""
    secret = devices.hash_of_cookie(request)
    if not secret:
        return ""
    person = accounts.of_address(name.removeprefix(SECOND_STEP))
    return secret if KnownDevice.objects.filter(user__in=person, secret_hash=secret).exists() else ""


def _count(gate: _Gate, *, now: dt.datetime) -> int:
    """Count the try. Returns 0, or the seconds that it has to wait: then it is not counted."""
    for _ in range(_AGAIN):
        row, _made = Tries.objects.get_or_create(key=gate.key, defaults={"count": 0, "until": now, "last_at": now})
        if row.until > now:
            return int((row.until - now).total_seconds()) + 1
        count = 1 if now - row.last_at > gate.forgets else row.count + 1
        until = now + dt.timedelta(seconds=gate.wait(count))
        # Zero rows: somebody else has just tried, too.
        if Tries.objects.filter(key=gate.key, count=row.count, until=row.until).update(
            count=count, until=until, last_at=now
        ):
            return 0
    return 1


def _key(*parts: str) -> str:
    # A counter holds no name of a person.
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
