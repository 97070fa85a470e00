"""The rate at which messages left, measured by the Attempts in the database."""

import datetime as dt

from companion.clinics.models import Clinic
from companion.schedules.models import Attempt


def most_in_a_second(clinic: Clinic) -> int:
    """The largest number of Attempts of a clinic's bot in any second, by their slots.

    Arrival times would mislead: a stand-in that gets no CPU for a second on a loaded machine sees all messages of
    that second at once. `make bench` measures the rate at a server.
    """
    times = sorted(Attempt.objects.filter(clinic=clinic).values_list("began_at", flat=True))
    second = dt.timedelta(seconds=1)
    return max(sum(1 for at in times if first <= at < first + second) for first in times)
