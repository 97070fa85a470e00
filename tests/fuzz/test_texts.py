"""Rules of recurrence, texts with placeholders, languages and wall times: taken as they are, or refused."""

from itertools import islice
from typing import Final

from companion.patients.languages import canonical, fallbacks, language_name, locale_of, nearest
from companion.schedules.text import Reader, as_it_stands, as_typed, fill, literal_braces, most_units, problems_of
from companion.telegram.limits import utf16_units
from companion.times import recurrence
from companion.times.recurrence import RuleError, from_json, to_json
from companion.times.walls import parse_wall, resolve, wall_name
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_of, text_of


@fuzzed("rule", *("daily", "monthly", "2tu", "-1fr", "0mo", "08:00:30", "skip", "last_day", "weekdays", "set_position"))
def test_any_rule_is_refused_or_read_back_as_it_was_written(raw: bytes) -> None:
    value = json_of(raw)
    if not isinstance(value, dict):
        return
    try:
        rule = from_json(value)
    except RuleError:
        return

    assert from_json(to_json(rule)) == rule
    walls = list(islice(recurrence.occurrences(NOW.replace(tzinfo=None), rule), 3))
    assert walls == sorted(set(walls))


READERS: Final = [
    Reader(name=name, clinic="Linden {name}", language=language, timezone=zone, caregiver=caregiver)
    for name, language, zone, caregiver in (
        ("Ana Silva", "en", "Europe/Berlin", False),
        ("{name} {{", "ar", "Pacific/Apia", True),
        ("\u202e😀" * 20, "th", "UTC", False),
        ("", "zh-Hant", "America/St_Johns", True),
    )
]


@fuzzed("template", "{first_name}", "{name}", "{clinic}", "{date}", "{time}", "{{", "{", "}", "{ name }", "{x}")
def test_any_text_is_filled_within_the_bound_that_was_told_before(raw: bytes) -> None:
    template = text_of(raw)
    typed = as_typed(template)
    assert as_typed(typed) == typed
    literal_braces(typed)
    if problems_of(typed):
        return

    for reader in READERS:
        filled = fill(typed, reader, NOW)
        filled.encode()
        assert utf16_units(filled) <= most_units(typed, clinic_name=reader.clinic, name_characters=40)


@fuzzed("template", "{first_name}", "{{", "{", "}")
def test_words_that_are_no_template_reach_the_reader_unchanged(raw: bytes) -> None:
    words = text_of(raw)

    for reader in READERS:
        filled = fill(as_it_stands(words), reader, NOW)
        assert filled.endswith(words)
        assert reader.caregiver or filled == words


@fuzzed("language", "-", "_", "x-", "zh", "hant", "419", "u-co")
def test_any_language_has_texts_dates_and_a_name(raw: bytes) -> None:
    tag = text_of(raw)

    known = canonical(tag)

    assert known is None or canonical(known) == known
    assert fallbacks(tag)[-1] == "en"
    assert nearest(tag, {"en", "de"}) in ("en", "de")
    locale_of(tag)
    assert known is None or language_name(known)


@fuzzed("wall_time", "T", ":", "2026-12-24", "09:00", "9999")
def test_any_wall_time_is_refused_or_is_an_instant_in_each_zone(raw: bytes) -> None:
    try:
        wall = parse_wall(text_of(raw))
    except ValueError:
        return

    assert parse_wall(wall_name(wall)) == wall
    for zone in ("Europe/Berlin", "Pacific/Apia", "America/St_Johns"):
        assert resolve(wall, zone).at.tzinfo is not None
