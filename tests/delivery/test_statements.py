"""The statements of the hot path stand whole, under the same names for both databases, and fit their structs."""

import re
from importlib.resources import files

import msgspec
import pytest

from companion.delivery import statements, store
from companion.delivery.facts import Facts, Lapsed

DATABASES = ("postgresql", "sqlite")
TAKEN: dict[str, type[msgspec.Struct]] = {
    "begin": store.Begin,
    "put_off": store.Later,
    "record": store.Record,
    "end": store.Ended,
    "tell_ends": store.EndedAt,
    "mark_patients": store.Marked,
    "plan": store.Planned,
    "shift": store.Shifted,
    "rename": store.Renamed,
    "pending_instants": store.NextPending,
    "made": store.OccurrenceOf,
    "begun_by": store.Found,
    "facts": store.Found,
}
"""The struct whose rows go into a statement as JSON."""
GIVEN_AS_JSON: dict[str, type[msgspec.Struct]] = {"facts": Facts, "lapsed": Lapsed}
"""The struct whose rows come out of a statement as JSON."""


def fields(struct: type[msgspec.Struct]) -> set[str]:
    return set(struct.__struct_fields__)


@pytest.mark.parametrize("database", DATABASES)
def test_nothing_is_left_to_be_filled_in_but_parameters(database: str) -> None:
    text = files("companion.delivery.statements").joinpath(f"{database}.sql").read_text("utf-8")

    assert "{" not in text
    assert not re.search(r"%[^(]", text)


@pytest.mark.parametrize("database", DATABASES)
def test_each_statement_has_its_function(database: str) -> None:
    assert {name for name in statements.read(database) if not hasattr(store, name)} == set()


def test_both_databases_have_the_same_statements() -> None:
    assert statements.read("postgresql").keys() == statements.read("sqlite").keys()


@pytest.mark.parametrize("name", TAKEN)
def test_a_statement_on_rows_takes_each_field_of_their_struct_and_no_other(name: str) -> None:
    [record] = re.findall(r"AS\s+r\(([^)]*)\)", " ".join(statements.read("postgresql")[name]))
    taken_on_postgresql = {column.split()[0] for column in record.split(",")}
    taken_on_sqlite = set(re.findall(r"value->>'\$\.(\w+)'", " ".join(statements.read("sqlite")[name])))

    assert taken_on_postgresql == taken_on_sqlite == fields(TAKEN[name])


@pytest.mark.parametrize("name", GIVEN_AS_JSON)
def test_a_statement_that_gives_json_gives_each_field_of_its_struct_and_no_other(name: str) -> None:
    given = " ".join(statements.read("sqlite")[name])

    assert set(re.findall(r"(?<!\|\| )'(\w+)', ", given)) == fields(GIVEN_AS_JSON[name])


@pytest.mark.parametrize("database", DATABASES)
def test_each_name_is_described_in_one_line(database: str) -> None:
    text = files("companion.delivery.statements").joinpath(f"{database}.sql").read_text("utf-8")

    described = dict(re.findall(r"^-- (\w+): (.+)$", text, re.MULTILINE))

    assert described.keys() == statements.read(database).keys()
