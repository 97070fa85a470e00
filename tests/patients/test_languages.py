"""Languages of patients: any well-formed tag is kept, through every door, and texts fall back along it."""

import io
from pathlib import Path

import pytest
from django.test import Client

from companion.clinics.models import Clinic, Role
from companion.listener.words import Word, say
from companion.patients import enrolment
from companion.patients.importing import import_csv
from companion.patients.languages import canonical, fallbacks, language_name, locale_of
from companion.patients.models import Patient
from companion.patients.sources import configuration, sync
from companion.schedules.text import Reader, fill
from tests.api.calls import a_program
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.patients.hospital import numbers
from tests.web.forms import form_in, opened, sent
from tests.web.signed_in import signed_in, words

TAGS = [
    ("de", "de"),
    ("pt_BR", "pt-BR"),
    ("hmn", "hmn"),
    ("no-NO", "no-NO"),
    ("sgn-us", "sgn-US"),
    ("ZH-hant-tw", "zh-Hant-TW"),
    ("x-private", "x-private"),
    ("i-klingon", "i-klingon"),
    ("en-gb-oed", "en-GB-oed"),
    ("zh-min-nan", "zh-min-nan"),
    ("sgn-BE-FR", "sgn-BE-FR"),
    ("de-CH-1996", "de-CH-1996"),
    ("de-DE-u-co-phonebk", "de-DE-u-co-phonebk"),
    ("es-419", "es-419"),
    ("sl-Latn-IT-nedis-x-long-private-use-of-ours", "sl-Latn-IT-nedis-x-long-private-use-of-ours"),
]


@pytest.mark.parametrize(("typed", "kept"), TAGS)
def test_any_well_formed_tag_is_kept_by_every_door(db: None, typed: str, kept: str) -> None:
    clinic = a_clinic()
    file = f"external_id,name,language\nP-1,Ana,{typed}\n"
    form = {"name": "Bo", "external_id": "P-2", "timezone": "Europe/Berlin", "language": typed}

    import_csv(a_caller(clinic), io.BytesIO(file.encode()), now=NOW)
    signed_in(clinic).post("/patients/new", form)
    answer = a_program(clinic, Role.PROVIDER).post("/patients", {"external_id": "P-3", "name": "Cy", "language": typed})

    assert list(Patient.objects.filter(clinic=clinic).values_list("language", flat=True)) == [kept] * 3
    assert answer.json["language"] == kept


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "und",
        "und-DE",
        "d",
        "german",
        "klingon",
        "de-",
        "-de",
        "de--DE",
        "de DE",
        "C.UTF-8",
        "x",
        "dé",
        "a-DE",
    ],
)
def test_text_that_can_be_no_tag_gives_no_language(tag: str) -> None:
    assert canonical(tag) is None


@pytest.mark.parametrize(
    ("tag", "order"),
    [
        ("zh-Hant-TW", ("zh-Hant-TW", "zh-Hant", "zh", "en")),
        ("no-NO", ("no-NO", "no", "nb", "en")),
        ("nb", ("nb", "no", "en")),
        ("de-DE-u-co-phonebk", ("de-DE-u-co-phonebk", "de-DE-u-co", "de-DE", "de", "en")),
        ("x-private", ("x-private", "en")),
        ("en-GB", ("en-GB", "en")),
    ],
)
def test_texts_are_looked_for_along_the_tag_and_then_in_english(tag: str, order: tuple[str, ...]) -> None:
    assert fallbacks(tag) == order


@pytest.mark.parametrize(
    ("language", "date"),
    [
        ("de-CH-1996", "1. Dezember 2026"),
        ("no-NO", "1. desember 2026"),
        ("pt-BR-x-ward", "1 de dezembro de 2026"),
        ("zh-Hant-TW", "2026年12月1日"),
        ("hmn", "December 1, 2026"),
        ("x-private", "December 1, 2026"),
    ],
)
def test_dates_are_written_in_the_nearest_language_that_has_them(language: str, date: str) -> None:
    filled = fill("{date}", Reader("", "", language, "UTC"), NOW)

    assert filled == date


@pytest.mark.parametrize("tag", [kept for _, kept in TAGS])
def test_no_tag_stands_in_the_way_of_the_bot_s_words_a_card_or_a_page(db: None, tag: str) -> None:
    clinic = a_clinic()
    a_bot(clinic)
    patient = a_patient(clinic, language=tag, telegram_id=None)

    card = enrolment.invite(a_caller(clinic), patient, now=NOW)
    page = signed_in(clinic).get(f"/patients/{patient.id}")

    assert card.link
    assert say(Word.AGREE_BUTTON, tag)
    assert language_name(tag) in words(page)
    assert locale_of(tag)


def test_the_form_of_a_patient_keeps_a_language_that_is_in_no_list(db: None) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, language="hmn", external_id="P-1")
    client: Client = signed_in(clinic)
    form = {"name": "Ana", "external_id": "P-1", "timezone": "Europe/Berlin", "language": "hmn"}

    shown = client.get(f"/patients/{patient.id}/edit").content.decode()
    client.post(f"/patients/{patient.id}/edit", form)

    patient.refresh_from_db()
    assert form_in(shown, "language")["language"] == ["hmn"]
    assert "“hmn” is Hmong" in shown
    assert patient.language == "hmn"


@pytest.mark.parametrize(("typed", "kept"), TAGS)
def test_any_tag_is_typed_into_the_form_of_a_patient(db: None, typed: str, kept: str) -> None:
    clinic = a_clinic()
    patient, client = a_patient(clinic), signed_in(clinic)
    path = f"/patients/{patient.id}/edit"

    answer = client.post(path, sent(opened(client, path, "language"), language=typed))

    patient.refresh_from_db()
    assert (answer.status_code, patient.language) == (302, kept)


@pytest.mark.parametrize("typed", ["german", "", "de_", "e", "und", "de DE", "中文"])
def test_a_wrong_tag_is_named_beside_the_field_and_stays_typed(db: None, typed: str) -> None:
    clinic = a_clinic()
    patient, client = a_patient(clinic, language="de"), signed_in(clinic)
    path = f"/patients/{patient.id}/edit"

    answer = client.post(path, sent(opened(client, path, "language"), language=typed))

    patient.refresh_from_db()
    shown = answer.content.decode()
    assert (answer.status_code, patient.language) == (422, "de")
    assert '<div class="wrong" id="language-wrong">This is no language code.' in shown
    assert form_in(shown, "language")["language"] == [typed]


def test_the_bot_speaks_the_nearest_language_it_knows() -> None:
    assert say(Word.AGREE_BUTTON, "pt-BR-x-ward") == say(Word.AGREE_BUTTON, "pt")
    assert say(Word.AGREE_BUTTON, "sgn-US") == say(Word.AGREE_BUTTON, "en")


@pytest.mark.django_db(transaction=True)
def test_a_sync_takes_a_patient_without_an_impossible_language_or_phone(tmp_path: Path) -> None:
    clinic: Clinic = a_clinic(language="de")
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name,language,phone\nP-1,Ana,german,1\nP-2,Bo,hmn,1.7E+11\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)

    run = sync.sync(clinic, clock=lambda: NOW)

    assert numbers(run) == (2, 0, 0, 0, 2)
    assert list(Patient.objects.order_by("external_id").values_list("language", "phone")) == [("de", "1"), ("hmn", "")]
    assert [(place, reason.partition(":")[0]) for place, reason in sync.reasons(run)] == [
        ("line 2", "language"),
        ("line 3", "phone"),
    ]
    assert all(reason.endswith("The patient was stored without it.") for _, reason in sync.reasons(run))
