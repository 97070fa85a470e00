"""The planning form's fields and the API's JSON hold the same values, in both directions."""

import datetime as dt
import uuid

import pytest

from companion.clinics.models import Clinic
from companion.planning import drafts
from companion.planning.drafts import Draft
from companion.planning.timing import Timing
from companion.schedules.models import IfUnknown, Lane, Quiet
from companion.times.rule_json import from_json, to_json
from companion.web.planning import form
from companion.web.planning.typed import Typed
from tests.builders import NOW

CLINIC = Clinic(slug="linden", name="Linden Clinic", timezone="Europe/Berlin")


def _draft(rule: dict[str, object] | None) -> Draft:
    endless = rule is not None and not {"until", "count"} & rule.keys()
    return Draft(
        text="Take your tablet.",
        patients=(uuid.UUID(int=7),),
        cohort=None,
        timing=Timing(
            starts_at=dt.datetime(2026, 12, 1, 9, 0),  # noqa: DTZ001  (a wall time)
            timezone="patient",
            recurrence=from_json(rule) if rule else None,
            quiet_hours=Quiet.WAIT,
        ),
        late_after=dt.timedelta(minutes=90),
        if_unknown=IfUnknown.RESEND,
        lane=Lane.BROADCAST,
        review_on=dt.date(2027, 5, 1) if endless else None,
    )


RULES: list[dict[str, object] | None] = [
    None,
    {"frequency": "daily"},
    {"frequency": "daily", "interval": 3, "count": 10},
    {"frequency": "weekly", "weekdays": ["mo", "th"], "until": "2027-03-01"},
    {"frequency": "monthly"},
    {"frequency": "monthly", "month_days": [-1]},
    {"frequency": "monthly", "weekdays": ["2tu"]},
    {"frequency": "monthly", "weekdays": ["-1fr"], "except": ["2026-12-25"]},
    {"frequency": "daily", "times": ["09:00", "14:00", "20:00"]},
    {"frequency": "monthly", "month_days": [1, 15]},
    {"frequency": "monthly", "weekdays": ["mo", "tu", "we", "th", "fr"], "set_position": -1},
    {"frequency": "monthly", "month_days": [31], "month_end": "skip"},
    # The form has no fields for these values, so they stay.
    {"frequency": "daily", "times": ["08:00", "14:00"]},
    {"frequency": "weekly", "weekdays": ["mo", "we", "fr"], "set_position": -1},
    {"frequency": "monthly", "weekdays": ["2tu", "4tu"]},
]


@pytest.mark.parametrize("rule", RULES)
def test_a_schedule_opened_for_editing_and_saved_untouched_stays_the_same(rule: dict[str, object] | None) -> None:
    draft = _draft(rule)
    kept = to_json(draft.timing.recurrence) if draft.timing.recurrence else None

    said = form.values(form.of_draft(draft, CLINIC, now=NOW), kept=kept)

    whole = drafts.values_of(draft)
    asked = said.pop("recurrence")
    assert isinstance(asked, dict | None)
    assert (from_json(asked) if asked else None) == draft.timing.recurrence
    assert said == {name: whole[name] for name in said}


def test_a_wrong_number_goes_on_as_it_was_typed() -> None:
    said = form.values(Typed(repeat="daily", interval="often"))

    assert said["recurrence"] == {"frequency": "daily", "interval": "often"}
