"""The rate at which messages left, by the Attempts in the database."""

import datetime as dt

from companion.clinics.models import Clinic
from companion.schedules.models import Attempt


def most_in_a_second(clinic: Clinic) -> int:
    """The most Attempts of a clinic's bot in any second, by the slots that they were begun for.

    By the evidence, not by arrival: on a loaded machine a stand-in that was not given a core for a second sees all that
    came meanwhile at once. `make bench` measures what a server sees.
    """
    times = sorted(Attempt.objects.filter(clinic=clinic).values_list("began_at", flat=True))
    second = dt.timedelta(seconds=1)
    return max(sum(1 for one in times if first <= one < first + second) for first in times)
