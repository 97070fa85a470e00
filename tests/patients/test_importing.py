"""Importing a CSV: the result of each row, and that no row harms the others."""

import io

import pytest

from companion.clinics.access import Caller, NotAllowed
from companion.clinics.models import AuditEntry, Mark, Role
from companion.clinics.refusals import Refused
from companion.patients.importing import Report, import_csv
from companion.patients.models import Cohort, Consent, ConsentChange, Patient
from companion.patients.upsert import RefusedRow
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_patient

pytestmark = pytest.mark.django_db

HEADER = "external_id,name,telegram_id,birth_date,phone,caregiver,timezone,language,cohorts\n"


def imported(caller: Caller, text: str | bytes) -> Report:
    return import_csv(caller, io.BytesIO(text.encode() if isinstance(text, str) else text), now=NOW)


def cohorts_of(patient: Patient) -> list[str]:
    return sorted(patient.cohorts.values_list("name", flat=True))


def test_a_row_becomes_a_patient_with_all_its_fields() -> None:
    caller = a_caller(a_clinic())

    report = imported(
        caller,
        HEADER + "P-1,Ana Silva,5000000001,1980-12-24,+55 11 5550,Maria,America/Sao_Paulo,pt_BR,Diabetes | Heart\n",
    )

    patient = Patient.objects.get(clinic=caller.clinic)
    assert (report.added, report.changed, report.unchanged, report.refused) == (1, 0, 0, [])
    assert (patient.external_id, patient.name, patient.telegram_id) == ("P-1", "Ana Silva", 5000000001)
    assert (str(patient.birth_date), patient.phone, patient.caregiver) == ("1980-12-24", "+55 11 5550", "Maria")
    assert (patient.timezone, patient.language, patient.consent) == ("America/Sao_Paulo", "pt-BR", Consent.UNKNOWN)
    assert cohorts_of(patient) == ["Diabetes", "Heart"]


def test_two_columns_are_enough_and_the_clinic_gives_the_rest() -> None:
    clinic = a_clinic(timezone="Asia/Kathmandu", language="ne")

    imported(a_caller(clinic), "name,external_id\nAna,P-1\n")

    patient = Patient.objects.get(clinic=clinic)
    assert (patient.timezone, patient.language, patient.telegram_id) == ("Asia/Kathmandu", "ne", None)


def test_a_row_with_the_clinic_s_own_bot_or_the_phone_number_as_telegram_id_is_refused() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)

    report = imported(
        a_caller(clinic),
        f"external_id,name,phone,telegram_id\nP-1,A,,{bot.telegram_id}\nP-2,B,+49 171 2345678,491712345678\n",
    )

    assert ["your own bot" in report.refused[0].reason, "phone number" in report.refused[1].reason] == [True, True]
    assert not Patient.objects.exists()


def test_the_same_file_again_changes_nothing() -> None:
    caller = a_caller(a_clinic())
    file = HEADER + "P-1,Ana Silva,5000000001,1980-12-24,1,,Europe/Berlin,de,A|B\nP-2,José  Núñez,,,,,,,\n"
    imported(caller, file)
    marks = Mark.objects.count()

    report = imported(caller, file)

    assert (report.added, report.changed, report.unchanged, report.refused) == (0, 0, 2, [])
    assert Mark.objects.count() == marks


def test_an_empty_cell_changes_nothing_and_neither_does_a_missing_column() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "Ana", external_id="P-1", phone="123", caregiver="Maria", timezone="Asia/Tokyo")
    a_cohort(clinic, "A", patient)

    report = imported(a_caller(clinic), "external_id,name,phone,cohorts\nP-1,,,\n")

    patient.refresh_from_db()
    assert report.unchanged == 1
    assert (patient.name, patient.phone, patient.caregiver, patient.timezone) == ("Ana", "123", "Maria", "Asia/Tokyo")
    assert cohorts_of(patient) == ["A"]


def test_a_row_of_a_known_patient_changes_what_it_names() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "Ana", external_id="P-1", phone="123")
    a_cohort(clinic, "A", patient)

    report = imported(a_caller(clinic), "external_id,name,phone,cohorts\nP-1,Ana Lima,456,B\n")

    patient.refresh_from_db()
    assert report.changed == 1
    assert (patient.name, patient.phone, patient.search) == ("Ana Lima", "456", "ana lima p-1")
    assert cohorts_of(patient) == ["B"]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("between", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_boms_delimiters_and_line_ends_are_understood(start: str, between: str, end: str) -> None:
    clinic = a_clinic()
    rows = [("external_id", "name"), ("P-1", f'"Silva{between} Ana"'), ("P-2", "Łukasz")]

    report = imported(a_caller(clinic), start + end.join(between.join(row) for row in rows))

    assert report.added == 2
    assert set(Patient.objects.values_list("name", flat=True)) == {f"Silva{between} Ana", "Łukasz"}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("P-1,,,,,,,,", "name: This is required for a new patient."),
        (",Ana,,,,,,,", "external_id: Give the id by which you know this patient."),
        ("P-1,Ana,@ana,,,,,,", "telegram_id: A bot can't write to a @username."),
        ("P-1,Ana,+4930123456,,,,,,", "telegram_id: This looks like a phone number."),
        ("P-1,Ana,-100123,,,,,,", "telegram_id: A Telegram ID below zero"),
        ("P-1,Ana,5E+09,,,,,,", "telegram_id: A spreadsheet has shortened this number"),
        ("P-1,Ana,,24.12.1980,,,,,", "birth_date: Write the birth date as year, month, day"),
        ("P-1,Ana,,1981-02-29,,,,,", "birth_date: There is no such date."),
        ("P-1,Ana,,2026-12-03,,,,,", "birth_date: This birth date is still to come."),
        ("P-1,Ana,,,,,Berlin,,", "timezone: We don't know this time zone."),
        ("P-1,Ana,,,,,,klingon,", "language: This is no language code."),
        ("P-1,Ana,,,no,,,,", "phone: A phone number has digits."),
        (f"P-1,{'x' * 201},,,,,,,", "name: This is longer than 200 characters."),
        (f"P-1,Ana,,,,,,,{'|'.join(map(str, range(101)))}", "cohorts: A patient can be in at most 100 cohorts."),
        ('P-1,"Ana\nSilva",,,,,,,', "name: This contains a line break"),
        ("P-1,Ana,,,,,,,,one too many", "This row has 10 cells, the first line has 9."),
        ('P-1,"Ana "x" Silva",,,,,,,', "The quotation marks of this row don't match"),
    ],
)
def test_a_wrong_row_is_refused_whole_by_its_line_and_stops_no_other(cells: str, reason: str) -> None:
    clinic = a_clinic()

    report = imported(a_caller(clinic), f"{HEADER}P-0,Before,,,,,,,\n{cells}\nP-2,After,,,,,,,\n")

    assert [row.line for row in report.refused] == [3]
    assert report.refused[0].reason.startswith(reason)
    assert set(Patient.objects.values_list("external_id", flat=True)) == {"P-0", "P-2"}


def test_a_row_that_is_not_utf_8_is_refused_by_its_line() -> None:
    clinic = a_clinic()

    report = imported(a_caller(clinic), "external_id,name\nP-1,José\n".encode() + "P-2,Núñez\n".encode("latin-1"))

    assert report.added == 1
    assert [row.line for row in report.refused] == [3]
    assert "not UTF-8" in report.refused[0].reason


def test_lines_are_counted_as_the_file_has_them() -> None:
    clinic = a_clinic()
    file = 'external_id,name,note\nP-1,Ana,"two\nlines"\n\nP-2,Bo,"three\n\nlines"\n,nobody,\n'

    report = imported(a_caller(clinic), file)

    assert report.added == 2
    assert [row.line for row in report.refused] == [8]


def test_a_quote_that_is_never_closed_costs_its_own_row_only() -> None:
    clinic = a_clinic()
    file = 'external_id,name\nP-1,"Ana\n' + "".join(f"P-{number},Bo\n" for number in range(2, 1500))

    report = imported(a_caller(clinic), file)

    assert [row.line for row in report.refused] == [2]
    assert report.added == 1498


def test_an_id_twice_in_a_file_is_taken_once() -> None:
    clinic = a_clinic()

    report = imported(a_caller(clinic), "external_id,name\nP-1,Ana\n P-1 ,Bo\n")

    assert report.refused == [RefusedRow(3, "external_id: Line 2 has this id already.")]
    assert Patient.objects.get().name == "Ana"


def test_a_telegram_id_belongs_to_one_patient() -> None:
    clinic = a_clinic()
    a_patient(clinic, external_id="P-0", telegram_id=5000000000)

    report = imported(
        a_caller(clinic), "external_id,name,telegram_id\nP-1,Ana,5000000000\nP-2,Bo,5000000002\nP-3,Cy,5000000002\n"
    )

    assert [row.line for row in report.refused] == [2, 4]
    assert "Another patient (P-0) has this Telegram ID" in report.refused[0].reason
    assert "Another patient (P-2) has this Telegram ID" in report.refused[1].reason


def test_a_caregiver_s_phone_serves_several_patients() -> None:
    clinic = a_clinic()
    a_patient(clinic, "Maria", external_id="P-0", telegram_id=5000000000)

    report = imported(
        a_caller(clinic),
        "external_id,name,telegram_id,caregiver\nP-1,Ana,5000000000,Maria\nP-2,Bo,5000000000,Maria\n",
    )

    assert (report.added, report.refused) == (2, [])


def test_a_telegram_id_that_one_row_gives_up_the_next_may_take() -> None:
    clinic = a_clinic()
    a_patient(clinic, "Ana", external_id="P-1", telegram_id=5000000001)

    report = imported(a_caller(clinic), "external_id,name,telegram_id\nP-1,Ana,5000000002\nP-2,Bo,5000000001\n")

    assert (report.changed, report.added, report.refused) == (1, 1, [])


def test_another_telegram_id_sets_a_given_consent_back_and_the_history_says_so() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, external_id="P-1", telegram_id=5000000001, consent=Consent.GIVEN, trouble="blocked")

    imported(a_caller(clinic), "external_id,name,telegram_id\nP-1,Ana Silva,5000000002\n")

    patient.refresh_from_db()
    assert (patient.consent, patient.trouble) == (Consent.UNKNOWN, "")
    change = ConsentChange.objects.get(patient=patient)
    assert (change.consent, change.source) == (Consent.UNKNOWN, "import by member: Nora Provider")


def test_another_telegram_id_lifts_no_opt_out() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, external_id="P-1", consent=Consent.WITHDRAWN, consent_before_stop=Consent.GIVEN)

    imported(a_caller(clinic), "external_id,name,telegram_id\nP-1,Ana Silva,5000000002\n")

    patient.refresh_from_db()
    assert (patient.consent, patient.consent_before_stop) == (Consent.WITHDRAWN, Consent.UNKNOWN)


def test_a_change_that_may_change_plans_leaves_a_mark() -> None:
    clinic = a_clinic()
    zone = a_patient(clinic, external_id="P-1")
    cohort = a_patient(clinic, external_id="P-2")
    back = a_patient(clinic, external_id="P-3", left_at=NOW)
    a_patient(clinic, external_id="P-4")

    imported(
        a_caller(clinic),
        "external_id,name,timezone,cohorts,phone\n"
        "P-1,,Asia/Tokyo,,\nP-2,,,A,\nP-3,,,,\nP-4,,,,12\nP-5,New,,A,\nP-6,New,Asia/Tokyo,,\n",
    )

    new = Patient.objects.get(external_id="P-5")
    marks = Mark.objects.filter(clinic=clinic, kind="patient").values_list("subject_id", flat=True)
    assert sorted(marks) == sorted([zone.id, cohort.id, back.id, new.id])


def test_unknown_columns_are_ignored_and_named() -> None:
    clinic = a_clinic()

    report = imported(a_caller(clinic), "External ID;Name;Ward;Telegram-ID\nP-1;Ana;3b;5000000001\n")

    assert report.ignored == ("Ward",)
    assert Patient.objects.get().telegram_id == 5000000001


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "no first line"),
        (b"external_id,phone\n", "missing: name"),
        (b"external_id,name,name\n", "twice: name"),
        (b'external_id,"name\n', "can't be read"),
    ],
)
def test_a_file_without_a_header_that_can_be_read_is_refused(file: bytes, words: str) -> None:
    caller = a_caller(a_clinic())

    with pytest.raises(Refused) as refusal:
        imported(caller, file)

    assert words in refusal.value.problems[0].message


def test_garbage_is_refused_line_by_line_and_nothing_falls_over() -> None:
    caller = a_caller(a_clinic())
    garbage = b"\0\x01\xff\xfe\n" + b"x" * 200_000 + b'\n"\r\r\n\n,,,,\n"""\nP-9,Zoe\n'

    report = imported(caller, b"external_id,name\n" + garbage)

    assert report.added == 1
    assert [row.line for row in report.refused] == [2, 3, 4]


def test_another_clinic_s_patients_are_another_s() -> None:
    other = a_patient(a_clinic(), "Ana", external_id="P-1", telegram_id=5000000001)
    clinic = a_clinic()

    report = imported(a_caller(clinic), "external_id,name,telegram_id,cohorts\nP-1,Bo,5000000001,A\n")

    other.refresh_from_db()
    assert (report.added, other.name) == (1, "Ana")
    assert Cohort.objects.get().clinic == clinic


def test_progress_comes_in_bytes_and_ends_at_all_of_them() -> None:
    file = HEADER + "".join(f"P-{number},Ana,,,,,,,\n" for number in range(1100))
    heard: list[tuple[int, int]] = []

    import_csv(a_caller(a_clinic()), io.BytesIO(file.encode()), now=NOW, progress=lambda *at: heard.append(at))

    assert [total for _, total in heard] == [len(file)] * 6
    assert heard[-1][0] == len(file)


def test_a_viewer_imports_nothing() -> None:
    caller = a_caller(a_clinic(), Role.VIEWER)

    with pytest.raises(NotAllowed):
        imported(caller, "external_id,name\nP-1,Ana\n")


def test_an_import_stands_in_the_audit_trail_once() -> None:
    caller = a_caller(a_clinic())

    imported(caller, "external_id,name\nP-1,Ana\nP-2,Bo\n")

    assert AuditEntry.objects.filter(clinic=caller.clinic, action="patients imported").count() == 1
