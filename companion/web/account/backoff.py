"""Waiting times after wrong passwords and codes: guessing takes years, and nobody can lock another person out.

Tries are counted for each pair of account and address, for each address, and for each account. The counts are in the
database, so that all web processes share them. A browser in which the person has signed in before has a count of its
own, and the counts of address and account don't apply to it: the person can still sign in there during an attack.
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

_ROUNDS: Final = 5
"""The number of times a counter is read if other requests change it at the same moment."""
_KEPT: Final = dt.timedelta(days=1)
SECOND_STEP: Final = "second step of "
"""A prefix of the account's name that keeps tries of codes apart from tries of passwords."""


@dataclass(frozen=True, slots=True)
class _Counter:
    """A count of tries, and the rule for how long the next try has to wait."""

    key: str
    wait: Callable[[int], float]
    """The seconds to wait after this number of tries."""
    forgets: dt.timedelta
    """The count begins anew after a pause of this length."""


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
    """Count a try at this account before it is checked. Raises ImmediateHttpResponse (429) if it comes too early."""
    now = database_now()
    for counter in _counters(request, account):
        if seconds := _count(counter, now=now):
            answer = render(request, "account/wait.html", {"seconds": seconds}, status=429)
            answer["Retry-After"] = str(seconds)
            raise ImmediateHttpResponse(answer)


def succeeded(request: HttpRequest, account: str) -> None:
    """Forget the pair's wrong tries. The other counters lose only this right try.

    They keep the wrong tries: otherwise a guesser could clear an address's counter by signing in with another account.
    """
    pair, *others = _counters(request, account)
    Tries.objects.filter(key=pair.key).delete()
    for counter in others:
        for row in Tries.objects.filter(key=counter.key, count__gt=0):
            Tries.objects.filter(key=counter.key, count=row.count).update(count=row.count - 1)
    Tries.objects.filter(last_at__lt=database_now() - _KEPT).delete()


def _counters(request: HttpRequest, account: str) -> list[_Counter]:
    name, hour = account.strip().lower(), dt.timedelta(hours=1)
    if device := _known_device(request, name):
        return [_Counter(_key("device", name, device), _of_pair, hour)]
    address = neighbourhood(devices.address_of(request))
    return [
        _Counter(_key("pair", name, address), _of_pair, hour),
        _Counter(_key("address", address), _of_address, dt.timedelta(minutes=10)),
        _Counter(_key("account", name), _of_account, hour),
    ]


def _known_device(request: HttpRequest, name: str) -> str:
    """Return the hash of this browser's cookie if the account's person has signed in here before; otherwise ""."""
    secret = devices.hash_of_cookie(request)
    if not secret:
        return ""
    person = accounts.of_address(name.removeprefix(SECOND_STEP))
    return secret if KnownDevice.objects.filter(user__in=person, secret_hash=secret).exists() else ""


def _count(counter: _Counter, *, now: dt.datetime) -> int:
    """Count the try and return 0. A try that comes too early is not counted: return the seconds that it has to wait."""
    for _ in range(_ROUNDS):
        row, _made = Tries.objects.get_or_create(key=counter.key, defaults={"count": 0, "until": now, "last_at": now})
        if row.until > now:
            return int((row.until - now).total_seconds()) + 1
        count = 1 if now - row.last_at > counter.forgets else row.count + 1
        until = now + dt.timedelta(seconds=counter.wait(count))
        # Zero rows: another request has counted a try meanwhile. Read the counter again.
        if Tries.objects.filter(key=counter.key, count=row.count, until=row.until).update(
            count=count, until=until, last_at=now
        ):
            return 0
    return 1


def _key(*parts: str) -> str:
    # Hash the parts, so that the table holds no person's name.
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
