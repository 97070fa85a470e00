"""Several secret keys at once: values sealed by an earlier key stay readable, and a lost key is named."""

import ast
import re
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings

from companion.cli import prepare
from companion.clinics import opt_outs, sign_in_links
from companion.clinics.models import Bot, OptOut, Role
from companion.clinics.refusals import Conflict
from companion.clinics.sealed import CannotOpen, SealedBytesField, SealedField, seal, unseal
from companion.panel import checks_inside
from companion.schedules.models import Message
from companion.service.key_ring import ring
from companion.service.models import Kind, UsedKey
from tests.api.calls import a_program
from tests.api.versions import tag_at
from tests.builders import NOW, a_bot, a_clinic, a_member, a_message, a_patient
from tests.clinics.rings import NEWER_ID, forget_older, sealed_without_id, stored, use_newer
from tests.panel.stories import a_heartbeat
from tests.support.threads import in_thread
from tests.web.signed_in import signed_in

TEXT = "Your results are here."
COMPANION = Path(__file__).resolve().parents[2] / "companion"


def test_a_value_names_the_key_that_sealed_it() -> None:
    assert seal(TEXT, "a.b.c")[1:7].hex() == ring().in_use.id


def test_a_value_sealed_with_an_earlier_key_stays_readable(settings: Settings) -> None:
    old = seal(TEXT, "a.b.c")

    use_newer(settings)

    assert unseal(old, "a.b.c") == TEXT
    assert seal(TEXT, "a.b.c")[1:7].hex() == NEWER_ID


def test_a_value_from_before_there_were_key_ids_stays_readable_by_any_key_of_the_ring(settings: Settings) -> None:
    old = sealed_without_id(TEXT, "a.b.c")

    assert unseal(old, "a.b.c") == TEXT
    use_newer(settings)
    assert unseal(old, "a.b.c") == TEXT


@pytest.mark.parametrize("purpose", ["a.b.c", "another.column"])
def test_a_value_opens_with_its_own_key_and_for_its_own_purpose_alone(settings: Settings, purpose: str) -> None:
    old = seal(TEXT, "a.b.c")
    before = use_newer(settings)
    if purpose == "a.b.c":
        forget_older(settings)

    with pytest.raises(CannotOpen) as refusal:
        unseal(old, purpose)

    assert (before in str(refusal.value)) == (purpose == "a.b.c")
    assert TEXT not in str(refusal.value)


@pytest.mark.parametrize("cut", [0, 1, 6, 7, 18, 19, 30])
@pytest.mark.parametrize("made", [seal, sealed_without_id])
def test_half_a_value_is_refused_in_words(made: "type[object]", cut: int) -> None:
    with pytest.raises(CannotOpen):
        unseal(made(TEXT, "a.b.c")[:cut], "a.b.c")  # type: ignore[call-arg,index]  # both are functions of two texts


def test_each_column_of_bytes_is_a_sealed_field_so_that_rotating_finds_it() -> None:
    # The Sandbox's phones and files are invented, and lie in the clear.
    ours = [model for model in apps.get_models() if model.__module__.startswith("companion.")]
    ours = [model for model in ours if model._meta.app_label != "sandbox"]

    plain = [
        f"{model._meta.label}.{field.name}"
        for model in ours
        for field in model._meta.concrete_fields
        if field.get_internal_type() == "BinaryField" and type(field) not in (SealedField, SealedBytesField)
    ]

    assert plain == []


def test_only_the_key_ring_reads_the_secret_keys() -> None:
    """Else something would be derived from a key that no rotation knows of."""
    may_read = {"service/key_ring.py", "config/settings.py", "config/secret_keys.py", "config/environment.py"}

    reading = {
        str(file.relative_to(COMPANION))
        for file in COMPANION.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and re.fullmatch("SECRET_KEY(_FALLBACKS)?|secret_key", node.attr)
    }

    assert reading <= may_read


@pytest.mark.django_db
def test_a_chat_s_stop_holds_under_any_key_that_hashed_it(settings: Settings) -> None:
    clinic = a_clinic()
    opt_outs.stop(clinic, 4711, source="patient: STOP", now=NOW)
    OptOut.objects.update(telegram_id=None)

    use_newer(settings)

    assert opt_outs.has_stopped(clinic, 4711)
    opt_outs.stop(clinic, 4711, source="patient: STOP", now=NOW)
    assert OptOut.objects.count() == 1
    opt_outs.lift(clinic, 4711, source="patient: /start", now=NOW)
    assert not opt_outs.has_stopped(clinic, 4711)


@pytest.mark.django_db
def test_a_new_key_signs_nobody_out_and_ends_no_link(settings: Settings) -> None:
    clinic = a_clinic()
    nora, invited = signed_in(clinic), a_member(clinic)
    link = sign_in_links.operators_link(invited, now=NOW)

    use_newer(settings)

    assert nora.get("/scheduled-messages").status_code == 200
    assert b"Sign in" in Client().get(link[link.index("/sign-in") :]).content


@pytest.mark.django_db
def test_a_program_changes_what_it_read_before_the_new_key(settings: Settings) -> None:
    clinic = a_clinic()
    api, patient = a_program(clinic, Role.ADMIN), a_patient(clinic)
    before = tag_at(api, f"/patients/{patient.id}")

    use_newer(settings)
    changed = api.patch(f"/patients/{patient.id}", {"name": "Ana Prado"}, if_match=before)

    assert tag_at(api, f"/patients/{patient.id}") != before
    assert changed.status == 200


@pytest.mark.django_db
def test_a_start_with_a_lost_key_is_refused_and_names_it(settings: Settings) -> None:
    a_bot(a_clinic())
    prepare.check_start()
    before = use_newer(settings)

    prepare.check_start()
    forget_older(settings)

    with pytest.raises(Conflict, match=before):
        prepare.check_start()
    assert set(UsedKey.objects.values_list("id", flat=True)) == {before, NEWER_ID}


@pytest.mark.django_db
def test_doctor_names_a_lost_key(settings: Settings) -> None:
    a_bot(a_clinic())
    prepare.check_keys()
    before = use_newer(settings)
    forget_older(settings)

    found = next(check for check in checks_inside.configuration(None, now=NOW) if check.name == "Secret key")

    assert (found.result, before in found.value) == ("failed", True)


@pytest.mark.django_db
def test_doctor_knows_services_that_will_follow_from_those_that_cannot_read(settings: Settings) -> None:
    before = use_newer(settings)

    def same() -> str:
        checks = checks_inside.configuration(None, now=NOW)
        return next(check.result for check in checks if check.name == "Secret key the same everywhere")

    a_heartbeat(Kind.LISTENER, key=before, keys=[before, NEWER_ID])
    assert same() == "warning"
    a_heartbeat(Kind.DISPATCHER, key=before, keys=[before])
    assert same() == "failed"


@pytest.mark.django_db
def test_rows_that_the_first_version_sealed_are_read_by_the_models() -> None:
    message, bot = a_message(a_patient(a_clinic()), text=TEXT), a_bot(a_clinic())
    with connection.cursor() as cursor:
        old = sealed_without_id(TEXT, "schedules.Message.text")
        cursor.execute("UPDATE schedules_message SET text = %s", [old])
        cursor.execute("UPDATE clinics_bot SET token = %s", [sealed_without_id(bot.token, "clinics.Bot.token")])

    assert Message.objects.get(pk=message.pk).text == TEXT
    assert Bot.objects.get(pk=bot.pk).token == bot.token
    assert stored("schedules_message", "text")[0][:1] == b"\x01"


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_of_two_services_with_different_keys_that_start_at_once_one_is_refused(settings: Settings) -> None:
    first = ring().in_use.id
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            prepare.check_keys()
            settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another service's", []
            second = pool.submit(in_thread, prepare.check_keys)
            # The second service reaches its check while the first service's check is not committed.
            wait([second], timeout=1)
        error = second.exception()

    assert isinstance(error, Conflict)
    assert first in str(error)
    assert list(UsedKey.objects.values_list("id", flat=True)) == [first]
