"""The links in the documents, and the names of files of this repository in them: all exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# Decisions name the files of their day, and the runbook names none.
GUIDES = [document for document in DOCUMENTS if document.parent.name != "decisions"]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"")
_FILE = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|sql|html|md|toml|yml|css|js))?)`")
_PLACES = (ROOT, ROOT / "companion", ROOT / "docs")
_MADE_BY_A_RUN = {"data/"}


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file(document: Path) -> None:
    targets = [first or second for first, second in _LINK.findall(document.read_text())]

    here = [target for target in targets if "://" not in target]
    assert [target for target in here if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", GUIDES, ids=name_of)
def test_every_file_that_a_guide_names_exists(document: Path) -> None:
    names = set(_FILE.findall(document.read_text())) - _MADE_BY_A_RUN

    assert [name for name in names if not any((place / name).exists() for place in _PLACES)] == []
