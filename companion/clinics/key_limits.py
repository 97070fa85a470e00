"""The limits of an API key besides its role: its scopes, its networks, its last day, and whether it is for practice."""

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from companion.clinics.models import ApiKey, Clinic, KeyKind, Scope
from companion.clinics.refusals import Problem, Refused
from companion.service.client_address import Network, is_within, read_networks
from companion.times.walls import local, resolve

_MOST_NETWORKS: Final = 20
_LONGEST: Final = dt.timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits with which a key is made."""

    scopes: Collection[str] = ()
    """The parts of the API that the key may use; empty: the whole API."""
    networks: str = ""
    """The networks from which the key may be used, with commas between them; empty: all networks."""
    expires_on: str = ""
    """The last day of the key in the clinic's time zone, as an ISO date; empty: the key doesn't expire."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits that were checked."""

    scopes: list[str]
    networks: list[str]
    expires_at: dt.datetime | None


def read(limits: KeyLimits, clinic: Clinic, *, now: dt.datetime) -> ReadLimits:
    """Check the limits. Raises Refused with every wrong field."""
    networks = _networks(limits.networks)
    problems = list(_problems(limits, networks, clinic, now))
    if problems:
        raise Refused(*problems)
    expires_at = _end_of(dt.date.fromisoformat(limits.expires_on), clinic) if limits.expires_on else None
    return ReadLimits(sorted(set(limits.scopes)), [str(network) for network in networks or ()], expires_at)


def kind_here() -> KeyKind:
    """The kind of the keys of this installation."""
    return KeyKind.PRACTICE if settings.SANDBOX_ON else KeyKind.LIVE


def refusal(key: ApiKey, address: str) -> str:
    """Return a sentence that says why a valid key is refused; empty if it may be used from this address."""
    if key.kind and key.kind != kind_here():
        return f"This is a {key.kind} key, and this is no {key.kind} installation. Use a key that was made here."
    networks = read_networks(",".join(key.networks))
    if networks and not is_within(address, networks):
        return "This API key may not be used from this address. An admin sees its networks in Settings."
    return ""


def _problems(
    limits: KeyLimits, networks: tuple[Network, ...] | None, clinic: Clinic, now: dt.datetime
) -> Iterator[Problem]:
    if not set(limits.scopes) <= set(Scope.values):
        yield Problem("scopes", f"A scope is one of {', '.join(Scope.values)}.")
    if networks is None:
        sentence = "Write networks like 192.0.2.0/24, with commas between them, or none for all networks."
        yield Problem("networks", sentence)
    elif len(networks) > _MOST_NETWORKS:
        yield Problem("networks", f"Name at most {_MOST_NETWORKS} networks.")
    if limits.expires_on and not _is_day_to_come(limits.expires_on, clinic, now):
        yield Problem("expires_on", "Choose a last day from today on, within ten years, like 2027-03-31.")


def _networks(listed: str) -> tuple[Network, ...] | None:
    """The networks of this list; None if it can't be read."""
    try:
        return read_networks(listed.replace("\n", ","))
    except ValueError:
        return None


def _is_day_to_come(text: str, clinic: Clinic, now: dt.datetime) -> bool:
    today = local(now, clinic.timezone).date()
    try:
        return today <= dt.date.fromisoformat(text) <= today + _LONGEST
    except ValueError:
        return False


def _end_of(day: dt.date, clinic: Clinic) -> dt.datetime:
    return resolve(dt.datetime.combine(day + dt.timedelta(days=1), dt.time()), clinic.timezone).at
