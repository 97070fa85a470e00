"""The check that the clinics demand a second step of the people who sign in by a password."""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from django.conf import settings

from companion.clinics.models import Clinic, Demand
from companion.panel.check import CheckResult, Group, ok, warning

_NAME: Final = "Second step"
_ADVICE: Final = (
    "A stolen password is enough to read patients' messages. An admin chooses under Settings, Sign-in, who needs a "
    "second step: all members, or at least admins."
)


def second_step(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Name the clinics that demand it of nobody. A clinic with a sign-in service leaves it to the service."""
    clinics = Clinic.objects.filter(pk=clinic.pk) if clinic else Clinic.objects.filter(archived_at=None)
    without = clinics.filter(second_factor=Demand.NOBODY).exclude(slug__in=list(settings.OIDC_PROVIDERS))
    slugs = list(without.order_by("slug").values_list("slug", flat=True))
    if settings.SANDBOX_ON:
        yield ok(Group.CONFIGURATION, _NAME, "not looked at: this is practice")
    elif slugs:
        yield warning(Group.CONFIGURATION, _NAME, f"not demanded in {', '.join(slugs)}", _ADVICE)
    else:
        yield ok(Group.CONFIGURATION, _NAME, "demanded in each clinic with passwords")
