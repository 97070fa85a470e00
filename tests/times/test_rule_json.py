"""The JSON of a rule: what is taken, what is refused, and with which field and sentence."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.times.recurrence import Frequency, MonthEnd, Recurrence, RuleError, from_json, to_json
from tests.times.strategies import rules, starts

wall = datetime.fromisoformat


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_rule_is_read_back_as_it_was_written(data: st.DataObject) -> None:
    rule = data.draw(rules(data.draw(starts)))

    written = to_json(rule)

    assert to_json(from_json(written)) == {**written, **{key: _once(written[key]) for key in ("times", "except")}}


def _once(items: object) -> list[object]:
    assert isinstance(items, list)
    return list(dict.fromkeys(items))


def test_only_the_frequency_is_needed() -> None:
    assert from_json({"frequency": "daily"}) == Recurrence(Frequency.DAILY)


def test_every_field_is_read() -> None:
    rule = from_json(
        {
            "frequency": "monthly",
            "interval": 3,
            "weekdays": ["mo", "2tu", "-1fr"],
            "month_days": [31, -1],
            "month_end": "skip",
            "set_position": -2,
            "times": ["08:00", "14:00:30"],
            "except": ["2026-12-25", "2026-12-26T08:00"],
            "until": "2027-03-01",
            "count": 7,
        }
    )

    assert rule == Recurrence(
        frequency=Frequency.MONTHLY,
        interval=3,
        weekdays=("mo", "2tu", "-1fr"),
        month_days=(31, -1),
        month_end=MonthEnd.SKIP,
        set_position=-2,
        times=(time(8), time(14, 0, 30)),
        except_=(date(2026, 12, 25), wall("2026-12-26T08:00")),
        until=date(2027, 3, 1),
        count=7,
    )


def test_a_written_rule_has_every_field() -> None:
    assert to_json(Recurrence(Frequency.WEEKLY, times=(time(8),))) == {
        "frequency": "weekly",
        "interval": 1,
        "weekdays": [],
        "month_days": [],
        "month_end": "last_day",
        "set_position": None,
        "times": ["08:00"],
        "except": [],
        "until": None,
        "count": None,
    }


def test_a_value_that_stands_twice_in_a_list_is_kept_once() -> None:
    rule = from_json({"frequency": "weekly", "weekdays": ["mo", "tu", "mo"], "times": ["08:00", "08:00:00"]})

    assert (rule.weekdays, rule.times) == (("mo", "tu"), (time(8),))


REFUSED: list[tuple[dict[str, object], str, str]] = [
    ({}, "frequency", "needs a frequency"),
    ({"frequency": "yearly"}, "frequency", "daily, weekly, monthly"),
    ({"frequency": "DAILY"}, "frequency", "daily, weekly, monthly"),
    ({"frequency": ["daily"]}, "frequency", "daily, weekly, monthly"),
    ({"frequency": None}, "frequency", "daily, weekly, monthly"),
    ({"frequency": "daily", "hours": [8]}, "hours", "no such field"),
    ({"frequency": "daily", "except_": []}, "except_", "no such field"),
    ({"frequency": "daily", "interval": 0}, "interval", "1 to 1000"),
    ({"frequency": "daily", "interval": 1001}, "interval", "1 to 1000"),
    ({"frequency": "daily", "interval": -1}, "interval", "1 to 1000"),
    ({"frequency": "daily", "interval": 1.0}, "interval", "whole number"),
    ({"frequency": "daily", "interval": True}, "interval", "whole number"),
    ({"frequency": "daily", "interval": "2"}, "interval", "whole number"),
    ({"frequency": "daily", "interval": None}, "interval", "whole number"),
    ({"frequency": "weekly", "weekdays": "mo"}, "weekdays", "list"),
    ({"frequency": "weekly", "weekdays": None}, "weekdays", "list"),
    ({"frequency": "weekly", "weekdays": [1]}, "weekdays", "text"),
    ({"frequency": "weekly", "weekdays": ["MO"]}, "weekdays", "mo, tu"),
    ({"frequency": "weekly", "weekdays": ["monday"]}, "weekdays", "mo, tu"),
    ({"frequency": "weekly", "weekdays": ["mo\n"]}, "weekdays", "mo, tu"),
    ({"frequency": "weekly", "weekdays": ["2tu"]}, "weekdays", "monthly"),
    ({"frequency": "daily", "weekdays": ["-1fr"]}, "weekdays", "monthly"),
    ({"frequency": "monthly", "weekdays": ["0tu"]}, "weekdays", "2tu"),
    ({"frequency": "monthly", "weekdays": ["6tu"]}, "weekdays", "2tu"),
    ({"frequency": "monthly", "month_days": [0]}, "month_days", "1 to 31"),
    ({"frequency": "monthly", "month_days": [32]}, "month_days", "1 to 31"),
    ({"frequency": "monthly", "month_days": [-32]}, "month_days", "1 to 31"),
    ({"frequency": "monthly", "month_days": ["1"]}, "month_days", "whole number"),
    ({"frequency": "monthly", "month_days": [1] * 1441}, "month_days", "more than"),
    ({"frequency": "daily", "month_days": [1]}, "month_days", "monthly"),
    ({"frequency": "weekly", "month_days": [1]}, "month_days", "monthly"),
    ({"frequency": "monthly", "month_end": "first"}, "month_end", "last_day, skip"),
    ({"frequency": "monthly", "month_end": None}, "month_end", "last_day, skip"),
    ({"frequency": "daily", "weekdays": ["mo"], "set_position": 1}, "set_position", "weekly and monthly"),
    ({"frequency": "monthly", "set_position": 1}, "set_position", "needs weekdays"),
    ({"frequency": "monthly", "weekdays": ["mo"], "set_position": 0}, "set_position", "1 to 31"),
    ({"frequency": "monthly", "weekdays": ["mo"], "set_position": 32}, "set_position", "1 to 31"),
    ({"frequency": "weekly", "weekdays": ["mo", "tu"], "set_position": 3}, "set_position", "1 to 2"),
    ({"frequency": "weekly", "weekdays": ["mo", "tu"], "set_position": -3}, "set_position", "1 to 2"),
    ({"frequency": "daily", "times": ["8:00"]}, "times", "like 09:00"),
    ({"frequency": "daily", "times": ["08:00Z"]}, "times", "like 09:00"),
    ({"frequency": "daily", "times": ["24:00"]}, "times", "no such time"),
    ({"frequency": "daily", "times": [800]}, "times", "text"),
    ({"frequency": "daily", "except": ["2026-02-30"]}, "except", "no such date"),
    ({"frequency": "daily", "except": ["20261225"]}, "except", "like 2026-12-25"),
    ({"frequency": "daily", "except": ["2026-12-25T09:00Z"]}, "except", "without an offset"),
    ({"frequency": "daily", "except": ["1899-12-25"]}, "except", "1900 to 2100"),
    ({"frequency": "daily", "except": ["2101-01-01T09:00"]}, "except", "1900 to 2100"),
    ({"frequency": "daily", "until": "2101-01-01"}, "until", "1900 to 2100"),
    ({"frequency": "daily", "until": "2026-12-25T09:00"}, "until", "like 2026-12-25"),
    ({"frequency": "daily", "until": 2026}, "until", "text"),
    ({"frequency": "daily", "count": 0}, "count", "1 to 1000000"),
    ({"frequency": "daily", "count": 10**30}, "count", "1 to 1000000"),
    ({"frequency": "daily", "count": True}, "count", "whole number"),
]


@pytest.mark.parametrize(("value", "field", "sentence"), REFUSED, ids=[str(case[0])[:70] for case in REFUSED])
def test_a_rule_that_cannot_be_is_refused_with_its_field_and_a_sentence(
    value: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(RuleError) as refused:
        from_json(value)

    assert refused.value.field == f"recurrence.{field}"
    assert sentence in refused.value.message


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = tuple(to_json(Recurrence(Frequency.DAILY)))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(Frequency),
    st.dictionaries(st.sampled_from(KEYS[1:]), st.one_of(json_values, st.lists(json_values, max_size=3)), max_size=4),
)
def test_any_json_is_read_or_refused(frequency: Frequency, value: dict[str, object]) -> None:
    rule, refused_field = read({"frequency": frequency.value, **value})

    assert refused_field in {f"recurrence.{key}" for key in KEYS} if rule is None else from_json(to_json(rule)) == rule


def read(value: dict[str, object]) -> tuple[Recurrence | None, str | None]:
    try:
        return from_json(value), None
    except RuleError as refused:
        return None, refused.field


def test_a_rule_made_in_code_is_checked_too() -> None:
    with pytest.raises(RuleError, match="interval"):
        Recurrence(Frequency.DAILY, interval=0)


@pytest.mark.parametrize("hour", [time(8, 0, 0, 1), time(8, tzinfo=UTC)], ids=["microseconds", "offset"])
def test_times_that_no_occurrence_could_be_named_by_are_refused(hour: time) -> None:
    with pytest.raises(RuleError, match="whole seconds"):
        Recurrence(Frequency.DAILY, times=(hour,))


@pytest.mark.parametrize("exception", ["2026-12-25T08:00+01:00", "2026-12-25T08:00:00.000001"])
def test_exceptions_that_no_occurrence_could_be_named_by_are_refused(exception: str) -> None:
    with pytest.raises(RuleError, match="whole seconds"):
        Recurrence(Frequency.DAILY, except_=(wall(exception),))


def test_an_end_with_a_time_of_day_is_refused() -> None:
    with pytest.raises(RuleError, match="a date"):
        Recurrence(Frequency.DAILY, until=wall("2026-12-25T08:00"))
