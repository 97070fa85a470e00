"""A FHIR Patient, synced: which identifier, name and telecom counts today, and how somebody is addressed."""

from collections.abc import Iterator

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.models import Consent, Patient
from companion.patients.sources import configuration, sync
from companion.patients.sources.fhir_names import name_of
from companion.patients.sources.models import SyncRun
from tests.builders import NOW, a_caller, a_clinic, a_patient
from tests.patients.fhir_directory import Server, a_fhir_server, a_resource
from tests.patients.fhir_server import TOKEN
from tests.patients.hospital import numbers

pytestmark = pytest.mark.django_db

PAST, FUTURE = {"end": "2026-11-30"}, {"start": "2026-12-02"}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_fhir_server(tmp_path_factory.mktemp("fhir")) as server:
        yield server


def synced(server: Server, clinic: Clinic, **fields: object) -> SyncRun:
    """Sync a server with one patient, P-1, as a whole."""
    server.has(a_resource(1, **fields))
    configuration.set_fhir(
        a_caller(clinic, Role.ADMIN), server.url, TOKEN, identifier_system="urn:mrn", now=NOW, anywhere=True
    )
    return sync.sync(clinic, clock=lambda: NOW, whole=True)


def telegram(number: int, **fields: object) -> dict[str, object]:
    return {"system": "other", "value": f"telegram:{number}"} | fields


@pytest.mark.parametrize(
    ("period", "holds"),
    [
        ({}, True),
        ({"end": "2026-12-01"}, True),  # through that day
        ({"end": "2026-11-30"}, False),
        ({"end": "2026-12"}, True),  # through that month
        ({"end": "2026-11"}, False),
        ({"end": "2026"}, True),
        ({"end": "2025"}, False),
        ({"end": "9999-12-31"}, True),
        ({"end": "9999-12-31T23:59:59Z"}, True),
        ({"end": "9999-12-31T23:59:59-12:00"}, True),
        ({"end": "9999-12-31T23:59:59.999+14:00"}, True),
        ({"start": "9999-12-31T23:59:59Z"}, False),
        ({"start": "0001-01-01T00:00:00+14:00"}, True),
        ({"end": "0001-01-01T00:00:00+14:00"}, False),
        ({"start": "2026-12-01"}, True),
        ({"start": "2026-12-02"}, False),
        ({"start": "2026-12"}, True),
        ({"start": "2027"}, False),
        ({"start": "2026-12-01T09:00:00+01:00"}, True),
        ({"start": "2026-12-01T09:00:01+01:00"}, False),
        ({"end": "2026-12-01T09:00:00+01:00"}, True),
        ({"end": "2026-12-01T08:59:59+01:00"}, False),
        ({"start": "2020", "end": "2026-12-01T07:00:00-02:00"}, True),
    ],
)
def test_a_telegram_id_counts_while_its_period_lasts(started: Server, period: dict[str, str], holds: bool) -> None:
    clinic = a_clinic()

    synced(started, clinic, telecom=[telegram(5000000001, period=period)])

    assert Patient.objects.get().telegram_id == (5000000001 if holds else None)


def test_bare_dates_are_meant_on_the_clinic_s_clocks(started: Server) -> None:
    # At NOW it is still 30 November in Honolulu only where the day is young; in Kiritimati it is 1 December's evening.
    honolulu, kiritimati = a_clinic(timezone="Pacific/Pago_Pago"), a_clinic(timezone="Pacific/Kiritimati")
    ends = {"period": {"end": "2026-11-30"}}

    for clinic in (honolulu, kiritimati):
        synced(started, clinic, telecom=[telegram(5000000001, **ends)])

    assert Patient.objects.get(clinic=honolulu).telegram_id == (5000000001 if NOW.hour < 11 else None)
    assert Patient.objects.get(clinic=kiritimati).telegram_id is None


def test_a_telegram_id_that_has_ended_is_taken_away_with_the_consent_given_in_its_chat(started: Server) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, external_id="P-1", telegram_id=5000000001, phone="1", consent=Consent.GIVEN)

    synced(
        started, clinic, telecom=[telegram(5000000001, period=PAST), {"system": "phone", "value": "1", "use": "old"}]
    )

    patient.refresh_from_db()
    assert (patient.telegram_id, patient.phone, patient.consent) == (None, "", Consent.UNKNOWN)


def test_a_server_that_says_nothing_of_telegram_takes_nothing_away(started: Server) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, external_id="P-1", telegram_id=5000000001)

    synced(started, clinic, telecom=[{"system": "phone", "value": "1"}])

    patient.refresh_from_db()
    assert patient.telegram_id == 5000000001


def test_rank_orders_telecoms(started: Server) -> None:
    clinic = a_clinic()
    telecom = [
        {"system": "phone", "value": "home", "use": "home"},
        {"system": "phone", "value": "3", "use": "mobile", "rank": 3},
        {"system": "phone", "value": "2", "use": "work", "rank": 2},
        {"system": "phone", "value": "1", "use": "mobile", "rank": 1, "period": PAST},
        telegram(5000000003),
        telegram(5000000002, rank=2),
        telegram(5000000001, rank=1, use="old"),
    ]

    synced(started, clinic, telecom=telecom)

    patient = Patient.objects.get()
    assert (patient.phone, patient.telegram_id) == ("2", 5000000002)


def test_an_identifier_that_has_ended_is_none(started: Server) -> None:
    clinic = a_clinic()
    identifiers = [
        {"system": "urn:mrn", "value": "P-0", "period": PAST},
        {"system": "urn:mrn", "value": "P-9", "period": FUTURE},
        {"system": "urn:mrn", "value": "P-8", "use": "old"},
        {"system": "urn:mrn", "value": "P-1", "period": {"start": "2026"}},
    ]

    synced(started, clinic, identifier=identifiers)
    none = synced(started, a_clinic(), identifier=identifiers[:3])

    assert Patient.objects.get().external_id == "P-1"
    assert (numbers(none), "no current identifier" in sync.reasons(none)[0][1]) == ((0, 0, 0, 0, 1), True)


def test_a_name_that_has_ended_is_none(started: Server) -> None:
    names = [
        {"use": "official", "family": "Before", "given": ["Ana"], "period": PAST},
        {"use": "official", "family": "Later", "given": ["Ana"], "period": FUTURE},
        {"use": "usual", "family": "Now", "given": ["Ana"]},
    ]

    synced(started, a_clinic(), name=names)

    assert Patient.objects.get().name == "Ana Now"


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ({"text": "KRAUS, Anna", "family": "Kraus", "given": ["Anna", "Maria"]}, "Anna Maria Kraus"),
        ({"text": "KRAUS, Anna"}, "Anna KRAUS"),
        ({"text": "KRAUS,Anna"}, "Anna KRAUS"),
        ({"text": "KRAUS,"}, "KRAUS"),
        ({"text": "Mr. John Smith"}, "John Smith"),
        ({"text": "Mr John Smith"}, "John Smith"),
        ({"text": "Smith, Mr. John"}, "John Smith"),
        ({"text": "Prof. Dr. med. Anna Kraus"}, "Anna Kraus"),
        ({"text": "Dr. Kraus, Anna"}, "Anna Kraus"),
        ({"text": "John Smith, Jr."}, "John Smith Jr."),
        ({"text": "Smith, John, Jr."}, "John Smith Jr."),
        ({"text": "Sra. Ana Silva"}, "Ana Silva"),
        ({"text": "Ms.", "family": "Kraus"}, "Kraus"),
        ({"family": "KRAUS", "text": "KRAUS, Anna", "prefix": ["Dr."]}, "Anna KRAUS"),
        ({"family": "Kraus", "prefix": ["Mr."]}, "Kraus"),
        ({"given": ["Dr. Anna"], "family": "Kraus"}, "Anna Kraus"),
        ({"given": ["Mr."], "family": "Smith", "text": "Mr. John Smith"}, "John Smith"),
        ({"given": ["Anna"], "text": "Anna Kraus"}, "Anna Kraus"),
        ({"given": ["Anna,"], "family": "Kraus,"}, "Anna Kraus"),
        ({"given": ["Anna"]}, "Anna"),
        ({"text": "田中，花子"}, "花子 田中"),
        ({"text": "Madonna"}, "Madonna"),
        ({"text": "D'Arcy Med"}, "D'Arcy Med"),
        ({"text": "Mr."}, ""),
    ],
)
def test_somebody_is_addressed_by_the_given_name(name: dict[str, object], whole: str) -> None:
    assert name_of([name]) == whole


def test_no_patient_is_greeted_by_a_comma_or_a_title(started: Server) -> None:
    synced(started, a_clinic(), name=[{"text": "KRAUS, Anna"}])

    assert Patient.objects.get().first_name == "Anna"


def test_a_patient_replaced_by_another_record_has_left(started: Server) -> None:
    clinic = a_clinic()
    a_patient(clinic, external_id="P-1")
    link = {"other": {"reference": "Patient/p2"}, "type": "replaced-by"}

    run = synced(started, clinic, link=[link])

    assert run.left == 1
    assert Patient.objects.get().left_at == NOW


@pytest.mark.parametrize("kind", ["replaces", "refer", "seealso"])
def test_other_links_move_nobody(started: Server, kind: str) -> None:
    run = synced(started, a_clinic(), link=[{"other": {"reference": "Patient/p2"}, "type": kind}])

    assert numbers(run) == (1, 0, 0, 0, 0)


def test_a_patient_leaves_also_by_an_identifier_that_has_ended(started: Server) -> None:
    clinic = a_clinic()
    a_patient(clinic, external_id="P-1")

    run = synced(started, clinic, active=False, identifier=[{"system": "urn:mrn", "value": "P-1", "period": PAST}])

    assert run.left == 1


def test_an_unknown_language_costs_a_note_and_the_next_code_is_tried(started: Server) -> None:
    def speaks(*codes: str) -> list[dict[str, object]]:
        return [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": code} for code in codes]}}]

    first, second = a_clinic(language="pt"), a_clinic()
    wrong = synced(started, first, communication=speaks("klingon"))
    right = synced(started, second, communication=speaks("klingon", "sgn-US"))

    assert (numbers(wrong), sync.reasons(wrong)[0][1].partition(":")[0]) == ((1, 0, 0, 0, 1), "language")
    assert numbers(right) == (1, 0, 0, 0, 0)
    assert [Patient.objects.get(clinic=served).language for served in (first, second)] == ["pt", "sgn-US"]
