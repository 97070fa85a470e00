"""`/settings`: the page as a whole, with the forms of the clinic, its bot, its members and its API keys.

Everybody sees the page, only admins change anything on it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from babel import Locale
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from companion.clinics import api_keys, members
from companion.clinics.models import Bot, Clinic, Demand, Role, Scope
from companion.clinics.providers import provider_of
from companion.clinics.refusals import Refused
from companion.service.clock import database_now
from companion.times.workdays import region_names, regions_by_country
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash, Value, written
from companion.web.form_errors import by_field

ROLE_WORDS: Final = {
    Role.VIEWER: "sees everything, changes nothing",
    Role.PROVIDER: "plans messages and keeps patients",
    Role.ADMIN: "also keeps members, keys and the bot",
}


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """Show the whole page."""
    return settings_page(request, {})


def settings_page(
    request: PageRequest,
    more: Mapping[str, object],
    *,
    refusal: Refused | None = None,
    clash: Clash | None = None,
    part: str = "",
) -> HttpResponse:
    """Show the page. `part` names the form of the `refusal` or `clash`; the other forms show the present values."""
    clinic, now = request.caller.clinic, database_now()
    if clash:
        clinic.refresh_from_db()
    context: dict[str, object] = {
        "typed": defaults_of(clinic),
        "help": urgent_help_of(clinic),
        "clash": clash,
        "shown": {"clinic": written(defaults_of(clinic), now=now), "help": written(urgent_help_of(clinic), now=now)}
        | ({part: clash.shown if clash else request.POST.get(conflicts.FIELD, "")} if part else {}),
        "part": part,
        "bot": Bot.objects.filter(clinic=clinic).first(),
        "members": members.members_of(clinic),
        "keys": [(key, api_keys.state_of(key, now=now)) for key in api_keys.keys_of(clinic).select_related("clinic")],
        "scopes": Scope.choices,
        "demands": Demand.choices,
        "provider": provider_of(clinic),
        "roles": [(role.value, role.label, words) for role, words in ROLE_WORDS.items()],
        "errors": by_field(refusal, part),
        "now": now,
        "countries": countries(),
        "regions": region_names(clinic.country),
    }
    return render(request, "settings/page.html", context | dict(more), status=409 if clash else 422 if refusal else 200)


class Country(NamedTuple):
    """A country: its two letters and its name."""

    code: str
    name: str


@cache
def countries() -> list[Country]:
    """List the countries whose holidays are known, by name."""
    names = Locale("en").territories
    known = (Country(code, names.get(code, code)) for code in regions_by_country())
    return sorted(known, key=lambda country: country.name)


def defaults_of(clinic: Clinic) -> dict[str, Value]:
    """Read the clinic's defaults as their form shows them."""
    return {
        "name": clinic.name,
        "timezone": clinic.timezone,
        "quiet_from": f"{clinic.quiet_from:%H:%M}",
        "quiet_until": f"{clinic.quiet_until:%H:%M}",
        "country": clinic.country,
        "region": clinic.region,
        "closed_days": clinic.closed_days,
        "consent_required": "yes" if clinic.consent_required else "",
    }


def urgent_help_of(clinic: Clinic) -> dict[str, Value]:
    """Read the words for urgent help and the number to call, as their form shows them."""
    return {"words": list(clinic.urgent_words), "phone": clinic.urgent_phone}
