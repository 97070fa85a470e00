"""The waits after wrong tries, without waiting."""

import datetime as dt
from typing import Final

from django.db.models import F

from companion.web.models import Tries

ATTACKER: Final = "198.51.100.7"
ELSEWHERE: Final = "203.0.113.9"


def later(seconds: float) -> None:
    """Let so much time go by for the counters."""
    for row in Tries.objects.all():
        passed = dt.timedelta(seconds=seconds)
        Tries.objects.filter(pk=row.pk).update(until=row.until - passed, last_at=row.last_at - passed)


def nothing_passes() -> None:
    """Let all waits that have begun last an hour, however slow this machine is."""
    Tries.objects.filter(until__gt=F("last_at")).update(until=F("until") + dt.timedelta(hours=1))
