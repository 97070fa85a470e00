"""The statements of the hot path stand whole, under the same names for both databases."""

import re
from importlib.resources import files

import pytest

from companion.delivery import statements

DATABASES = ("postgresql", "sqlite")


def test_both_databases_have_the_same_statements() -> None:
    assert statements.names("postgresql") == statements.names("sqlite")


@pytest.mark.parametrize("database", DATABASES)
def test_nothing_is_left_to_be_filled_in_but_parameters(database: str) -> None:
    text = files("companion.delivery.statements").joinpath(f"{database}.sql").read_text("utf-8")

    assert "{" not in text
    assert not re.search(r"%[^(]", text)


@pytest.mark.parametrize("database", DATABASES)
def test_each_statement_is_somebodys(database: str) -> None:
    source = files("companion.delivery").joinpath("store.py").read_text("utf-8")

    assert {name for name in statements.names(database) if f'"{name}"' not in source} == set()
