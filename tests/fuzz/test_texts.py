"""Rules of recurrence and texts with placeholders: taken as they are, or refused in a sentence."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from companion.schedules.text import Reader, as_it_stands, as_typed, fill, most_units, problems_of
from companion.telegram.limits import utf16_units
from companion.times.recurrence import RuleError, from_json, to_json
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_with, texts

_SPELLED: Final = st.sampled_from(
    [
        *("daily", "weekly", "monthly", "mo", "2tu", "-1fr", "0mo", "09:00", "24:00", "08:00:30", "٠٩:٠٠"),
        *("2026-12-25", "2026-02-30", "2026-12-25T08:00", "0000-01-01", "9999-12-31", "skip", "last_day"),
    ]
)
_VALUES: Final = st.one_of(
    _SPELLED, st.integers(-40, 1100), st.lists(_SPELLED | st.integers(-40, 40), max_size=4), json_with("a")
)
_FIELDS: Final = st.sampled_from(
    ["interval", "weekdays", "month_days", "month_end", "set_position", "times", "except", "until", "count", "hours"]
)


@fuzzed
@given(st.dictionaries(_FIELDS, _VALUES, max_size=5), st.sampled_from(["daily", "weekly", "monthly"]) | _VALUES)
def test_any_rule_is_refused_or_read_back_as_it_was_written(fields: dict[str, object], frequency: object) -> None:
    try:
        rule = from_json(fields | {"frequency": frequency})
    except RuleError:
        return

    assert from_json(to_json(rule)) == rule


_PIECES: Final = st.sampled_from(
    ["{first_name}", "{name}", "{clinic}", "{date}", "{time}", "{{", "{", "}", "{ name }", "{x}"]
)
templates: Final = st.lists(_PIECES | texts, max_size=8).map("".join)
_READERS: Final = st.builds(
    Reader,
    name=st.text(max_size=40),
    clinic=st.just("Linden {name}"),
    language=st.sampled_from(["en", "de", "pt", "ar", "zh", "fa", "th"]),
    timezone=st.sampled_from(["Europe/Berlin", "Pacific/Apia", "UTC"]),
    caregiver=st.booleans(),
)


@fuzzed
@given(templates, _READERS)
def test_any_text_is_filled_within_the_bound_that_was_told_before(template: str, reader: Reader) -> None:
    typed = as_typed(template)
    assert as_typed(typed) == typed

    filled = fill(typed, reader, NOW)

    if not problems_of(typed):
        filled.encode()
        assert utf16_units(filled) <= most_units(typed, clinic_name=reader.clinic, name_characters=40)


@fuzzed
@given(texts | templates, _READERS)
def test_words_that_are_no_template_reach_the_reader_unchanged(words: str, reader: Reader) -> None:
    filled = fill(as_it_stands(words), reader, NOW)

    assert filled.endswith(words)
    assert reader.caregiver or filled == words
