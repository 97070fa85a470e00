"""The lines of syncs' reports that name a patient. An erasure removes them, so they follow a new external id."""

import json
import re
from collections.abc import Iterable

from companion.clinics.models import Clinic
from companion.patients.models import SyncRun


def naming(values: Iterable[object]) -> re.Pattern[str]:
    """Return the pattern of these values as whole words: the id A-1 is also part of the lines of patient A-12."""
    return re.compile("|".join(rf"(?<!\w){re.escape(str(value))}(?!\w)" for value in values if value))


def rename(clinic: Clinic, before: str, after: str) -> None:
    """Put a patient's new external id in place of the former id in all reports of the clinic."""
    former = naming([before])
    for run in SyncRun.objects.select_for_update().filter(clinic=clinic).order_by("id"):
        known = (run.reasons, run.touched)
        run.reasons = _renamed(run.reasons, former, after)
        run.touched = _renamed(run.touched, former, after) if run.touched else run.touched
        if known != (run.reasons, run.touched):
            run.save(update_fields=["reasons", "touched"])


def _renamed(lines: str, former: re.Pattern[str], after: str) -> str:
    return json.dumps([[former.sub(lambda _: after, str(cell)) for cell in line] for line in json.loads(lines)])
