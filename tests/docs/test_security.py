"""docs/security.md against the product: columns in the clear, files that are named, and the requirements of ASVS."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.db.models import Field, Model

_ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = _ROOT / "docs" / "security.md"
_FILE = re.compile(r"`((?:tests|companion|docs|requirements|deploy)/[\w./-]*)`")
_MACHINES_FOLDER = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|work|opt|srv|var)/[\w/]*|\b[A-Z]:\\")
_REQUIREMENT = re.compile(r"^\| (?:\*\*V\d+\*\* )?(\d[\d., –]*) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_PROOF = re.compile(r"`tests/|`docs/|\]\(#|`secrets`")
_STATES = {"met", "library", "operator", "not met"}
_LOGGER = re.compile(r"get_?[lL]ogger\((?:__name__|\"(companion[.\w]*)\")")
_ROW = re.compile(r"^\| `(\w+\.\w+)` \| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
_SAYS_NOTHING = {"BooleanField", "DateTimeField", "DurationField", "FloatField", "IntegerField", "PositiveIntegerField"}
_SAYS_NOTHING |= {"PositiveSmallIntegerField", "TimeField", "UUIDField", "BinaryField"}
"""Types of columns that name nobody: numbers, instants, ids of rows, and what is sealed."""
_APPS_ABOUT_NOBODY = {"sandbox", "contenttypes", "restoring", "service"}
"""The Sandbox's phones are invented; the others hold processes, restores and names of models."""
_EMPTY = {"socialaccount.SocialApp", "socialaccount.SocialToken"}
"""Tables of allauth that we leave empty: sign-in services stand in a file, and their tokens aren't kept."""
NAMES_NOBODY = {
    "account.EmailConfirmation": {"key"},
    "api.IdempotentCall": {"key", "request_hash", "tag"},
    "api.KeyUse": {"minute"},
    "auth.Group": {"name"},
    "auth.Permission": {"name", "codename"},
    "auth.User": {"password"},
    "clinics.ApiKey": {"secret_hash", "networks", "prefix", "scopes"},
    "clinics.AuditEntry": {"action", "actor_kind", "subject_kind", "key_id", "seal", "hash", "number"},
    "clinics.Bot": {"telegram_id", "username", "next_update_id"},
    "clinics.Clinic": {"timezone", "language", "country", "region", "closed_days", "planned_with", "urgent_words"},
    "clinics.FormerBot": {"telegram_id"},
    "clinics.HeardNumber": {"number"},
    "clinics.KnownDevice": {"secret_hash"},
    "clinics.OptOut": {"chat"},
    "listener.Media": {"kind", "size", "bot", "type"},
    "listener.Reply": {"telegram_message_id", "update_id"},
    "panel.Alert": {"cause", "words", "status", "told_status"},
    "panel.BotCheck": {"last_error"},
    "panel.HourCount": {"what"},
    "panel.Notice": {"event"},
    "panel.OutsideHeartbeat": {"error"},
    "panel.TrailHead": {"day", "number", "hash"},
    "patients.Enrolment": {"token_hash"},
    "patients.Patient": {"trouble"},
    "patients.PatientSource": {"reached"},
    "patients.SyncRun": {"detail"},
    "schedules.Attempt": {"asked", "note", "telegram_message_id"},
    "schedules.Deletion": {"telegram_message_id"},
    "schedules.Message": {"reason", "created_by_kind", "telegram_message_id"},
    "schedules.Schedule": {"cancelled_from", "created_by_kind"},
    "patients.FormerPatient": {"external_id_hash"},
    "socialaccount.SocialAccount": {"provider"},
    "usersessions.UserSession": {"session_key", "data"},
    "web.CacheEntry": {"value"},
    "webhooks.Delivery": {"kind", "code", "more", "error"},
    "webhooks.Wish": {"kind"},
}
"""Columns that could hold a name by their type, and never do. A new column belongs here or into the document."""


def test_values_about_a_person_in_the_clear_are_listed() -> None:
    listed = {
        (table, name) for table, names in _ROW.findall(DOCUMENT.read_text()) for name in re.findall(r"\w+", names)
    }

    assert listed == {
        (model._meta.label, field.name)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in _APPS_ABOUT_NOBODY and model._meta.label not in _EMPTY
        for field in _in_the_clear(model)
        if field.name not in NAMES_NOBODY.get(model._meta.label, ())
    }


def test_no_column_is_excused_that_isn_t_there() -> None:
    there = {
        model._meta.label: {field.name for field in model._meta.concrete_fields}
        for model in apps.get_models(include_auto_created=True)
    }

    excused = {(label, name) for label, names in NAMES_NOBODY.items() for name in names}
    assert {(label, name) for label, name in excused if name not in there.get(label, ())} == set()


def test_every_file_that_the_document_names_exists() -> None:
    named = set(_FILE.findall(DOCUMENT.read_text()))

    assert len(named) > 100
    assert {name for name in named if not (_ROOT / name).exists()} == set()


def test_no_folder_of_a_machine_is_named() -> None:
    assert _MACHINES_FOLDER.findall(DOCUMENT.read_text()) == []


def test_each_requirement_stands_once_and_is_met_by_a_test_that_is_named() -> None:
    rows = _REQUIREMENT.findall(DOCUMENT.read_text())

    numbers = [number for numbers, _, _ in rows for number in _numbers(numbers)]
    assert len(numbers) > 200
    assert {number for number in numbers if numbers.count(number) > 1} == set()
    assert {state for _, state, _ in rows} <= _STATES
    assert [numbers for numbers, state, where in rows if state == "met" and not _PROOF.search(where)] == []


def test_each_part_of_the_product_that_logs_stands_in_the_inventory_of_logs() -> None:
    inventory = (_ROOT / "docs" / "operations.md").read_text().partition("## Logs")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(companion\.\w+)`", inventory))
    logging = set()
    for path in (_ROOT / "companion").rglob("*.py"):
        room = f"companion.{path.relative_to(_ROOT / 'companion').parts[0]}"
        logging |= {own or room for own in _LOGGER.findall(path.read_text())} - {"companion"}

    assert listed == logging


def _numbers(cell: str) -> Iterator[str]:
    """Yield each number of a cell such as "1.1.1, 1.2.1–1.2.3"."""
    for part in cell.split(", "):
        first, _, last = part.partition("–")
        section, _, begin = first.rpartition(".")
        for end in range(int(begin), int((last or first).rpartition(".")[2]) + 1):
            yield f"{section}.{end}"


def _in_the_clear(model: type[Model]) -> "Iterator[Field[object, object]]":
    for field in model._meta.concrete_fields:
        chosen = field.is_relation or field.primary_key or field.choices
        if not chosen and field.get_internal_type() not in _SAYS_NOTHING:
            yield field
