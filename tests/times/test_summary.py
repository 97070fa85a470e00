"""The sentence that tells people when a Schedule goes out."""

from collections.abc import Mapping
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.times.recurrence import from_json
from companion.times.summary import summary
from tests.times.strategies import rules, starts

STARTS_AT = datetime.fromisoformat("2026-01-31T09:00")  # a Saturday, and a month's last day
WORKING_WEEK = ["mo", "tu", "we", "th", "fr"]

DAYS: Mapping[str, dict[str, object]] = {
    "Every day at 09:00": {"frequency": "daily"},
    "Every second day at 09:00": {"frequency": "daily", "interval": 2},
    "Every 12th day at 09:00": {"frequency": "daily", "interval": 12},
    "Every 21st day at 09:00": {"frequency": "daily", "interval": 21},
    "Every weekday at 09:00": {"frequency": "daily", "weekdays": WORKING_WEEK},
    "Every third day, if it is a weekday, at 09:00": {"frequency": "daily", "interval": 3, "weekdays": WORKING_WEEK},
    "Every day at 08:00, 14:00 and 20:00": {"frequency": "daily", "times": ["20:00", "08:00", "14:00"]},
    "Every day at 08:00 and 20:00:30": {"frequency": "daily", "times": ["08:00", "20:00:30"]},
    "Every Saturday at 09:00": {"frequency": "weekly"},
    "Every second Monday at 09:00": {"frequency": "weekly", "interval": 2, "weekdays": ["mo"]},
    "Every Monday, Wednesday and Friday at 09:00": {"frequency": "weekly", "weekdays": ["fr", "mo", "we"]},
    "Every weekend day at 09:00": {"frequency": "weekly", "weekdays": ["sa", "su"]},
    "Every second week on Monday and Friday at 09:00": {
        "frequency": "weekly", "interval": 2, "weekdays": ["mo", "fr"],
    },
    "Every second week on every weekday at 09:00": {"frequency": "weekly", "interval": 2, "weekdays": WORKING_WEEK},
    "Every week on the last of Monday and Friday at 09:00": {
        "frequency": "weekly", "weekdays": ["mo", "fr"], "set_position": -1,
    },
    "On the last day of every month at 09:00": {"frequency": "monthly"},
    "On the last day of every second month at 09:00": {"frequency": "monthly", "interval": 2, "month_days": [-1]},
    "On the last day of every January at 09:00": {"frequency": "monthly", "interval": 12},
    "On the 30th of every January at 09:00": {"frequency": "monthly", "interval": 12, "month_days": [30]},
    "On the 31st of every month (not in shorter months) at 09:00": {"frequency": "monthly", "month_end": "skip"},
    "On the 30th of every month (the last day in shorter months) at 09:00": {
        "frequency": "monthly", "month_days": [30],
    },
    "On the 1st, the 15th and the last day of every month at 09:00": {
        "frequency": "monthly", "month_days": [15, 1, -1],
    },
    "On the second-last day of every month at 09:00": {"frequency": "monthly", "month_days": [-2]},
    "On the second Tuesday of every third month at 09:00": {"frequency": "monthly", "interval": 3, "weekdays": ["2tu"]},
    "On the first Monday and the last Friday of every month at 09:00": {
        "frequency": "monthly", "weekdays": ["1mo", "-1fr"],
    },
    "On every Monday of every second month at 09:00": {"frequency": "monthly", "interval": 2, "weekdays": ["mo"]},
    "On the last weekday of every month at 09:00": {
        "frequency": "monthly", "weekdays": WORKING_WEEK, "set_position": -1,
    },
    "On the first Monday or Tuesday of every month at 09:00": {
        "frequency": "monthly", "weekdays": ["mo", "tu"], "set_position": 1,
    },
    "On the second of every Monday and the first Tuesday of every month at 09:00": {
        "frequency": "monthly", "weekdays": ["mo", "1tu"], "set_position": 2,
    },
    "On the 13th of every month, if it is a Friday, at 09:00": {
        "frequency": "monthly", "weekdays": ["fr"], "month_days": [13],
    },
    "On the first of these days of every month: the 1st and the 15th, at 09:00": {
        "frequency": "monthly", "month_days": [1, 15], "set_position": 1,
    },
    "On the first of these days of every month: the 1st and the 15th, if it is a Monday or a Friday, at 09:00": {
        "frequency": "monthly", "month_days": [1, 15], "weekdays": ["mo", "fr"], "set_position": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize(("sentence", "rule"), DAYS.items(), ids=DAYS.keys())
def test_a_rule_is_said_in_plain_words(sentence: str, rule: dict[str, object]) -> None:
    assert summary(STARTS_AT, from_json(rule), "patient") == f"{sentence}, patient's local time"


ENDS: Mapping[str, dict[str, object]] = {
    "until 1 March 2027": {"until": "2027-03-01"},
    "10 times": {"count": 10},
    "once only": {"count": 1},
    "until 1 March 2027, 10 times": {"until": "2027-03-01", "count": 10},
    "except on 25 December 2026": {"except": ["2026-12-25"]},
    "except on 24 December 2026 at 09:00 and 25 December 2026": {"except": ["2026-12-25", "2026-12-24T09:00"]},
    "with 4 exceptions": {"except": ["2026-12-24", "2026-12-25", "2026-12-26", "2026-12-31"]},
}


@pytest.mark.parametrize(("sentence", "end"), ENDS.items(), ids=ENDS.keys())
def test_ends_and_exceptions_come_last(sentence: str, end: dict[str, object]) -> None:
    rule = from_json({"frequency": "daily", **end})

    assert summary(STARTS_AT, rule, "patient") == f"Every day at 09:00, patient's local time, {sentence}"


ZONES = {
    "patient": "patient's local time",
    "Europe/Berlin": "Berlin time (Europe/Berlin)",
    "America/Argentina/Buenos_Aires": "Buenos Aires time (America/Argentina/Buenos_Aires)",
    "UTC": "UTC",
    "Etc/GMT+5": "time zone Etc/GMT+5",
    "Japan": "time zone Japan",
}


@pytest.mark.parametrize(("zone", "words"), ZONES.items(), ids=ZONES.keys())
def test_the_zone_is_named(zone: str, words: str) -> None:
    assert summary(STARTS_AT, None, zone) == f"Once, on 31 January 2026 at 09:00, {words}"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_rule_has_a_sentence(data: st.DataObject) -> None:
    starts_at = data.draw(starts)

    sentence = summary(starts_at, data.draw(rules(starts_at)), "patient")

    assert sentence.startswith(("Every ", "On "))
    assert "  " not in sentence
    assert ",," not in sentence
