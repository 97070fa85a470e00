"""Patients from a FHIR R4 server, a separate process over HTTP: pages, changes, and bad answers."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Refused
from companion.patients.models import Patient
from companion.patients.sources import configuration, fhir_source, sync
from companion.patients.sources.models import RunState, SyncRun
from companion.patients.sources.source import SourceDown
from tests.builders import NOW, a_caller, a_clinic
from tests.patients.fhir_directory import Server, a_fhir_server, a_resource
from tests.patients.fhir_server import TOKEN
from tests.patients.hospital import numbers

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_fhir_server(tmp_path_factory.mktemp("fhir")) as server:
        yield server


@pytest.fixture
def server(started: Server) -> Server:
    """Make a source that nobody has asked yet."""
    started.log.unlink(missing_ok=True)
    return started


def synced(clinic: Clinic, server: Server, token: str = TOKEN) -> SyncRun:
    if configuration.of_clinic(clinic) is None:
        caller = a_caller(clinic, Role.ADMIN)
        configuration.set_fhir(caller, server.url, token, identifier_system="urn:mrn", now=NOW, anywhere=True)
    return sync.sync(clinic, clock=lambda: NOW)


def test_a_patient_comes_with_all_that_fhir_says(server: Server) -> None:
    clinic = a_clinic()
    server.has(
        a_resource(
            1,
            birthDate="1980-12-24",
            telecom=[
                {"system": "phone", "value": "+49 30 1", "use": "home"},
                {"system": "phone", "value": "+49 170 2", "use": "mobile"},
                {"system": "other", "value": "telegram:5000000001"},
            ],
            communication=[
                {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "de"}]}},
                {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "pt-BR"}]}, "preferred": True},
            ],
        )
    )

    run = synced(clinic, server)

    patient = Patient.objects.get(clinic=clinic)
    assert (run.state, numbers(run)) == (RunState.DONE, (1, 0, 0, 0, 0))
    assert (patient.external_id, patient.name, patient.phone) == ("P-1", "Ana Maria Silva 1", "+49 170 2")
    assert (str(patient.birth_date), patient.language, patient.telegram_id) == ("1980-12-24", "pt-BR", 5000000001)


def test_all_pages_are_read_and_a_second_sync_asks_only_for_what_changed(server: Server) -> None:
    clinic = a_clinic()
    server.has(*(a_resource(number) for number in range(1, 6)))

    first = synced(clinic, server)
    asked_first = server.searches()
    second = synced(clinic, server)

    assert (numbers(first), numbers(second)) == ((5, 0, 0, 0, 0), (0, 0, 1, 0, 0))
    assert asked_first == ["all 0", "all 1", "all 2"]
    assert server.searches() == ["ge2026-11-05T07:50:00.000Z 0"]


@pytest.mark.parametrize("changed", ["0001-01-01T00:00:00Z", "0001-01-01T09:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_change_at_the_calendars_ends_stops_no_sync(server: Server, changed: str) -> None:
    clinic = a_clinic()
    server.has(a_resource(1, meta={"lastUpdated": changed}))

    runs = [synced(clinic, server), synced(clinic, server)]

    assert [run.state for run in runs] == [RunState.DONE, RunState.DONE]
    assert Patient.objects.filter(clinic=clinic).count() == 1


def test_a_change_far_ahead_hides_no_later_change(server: Server) -> None:
    clinic = a_clinic()
    server.has(a_resource(1), a_resource(2, meta={"lastUpdated": "2062-11-20T08:00:00Z"}))
    synced(clinic, server)
    server.has(a_resource(1, meta={"lastUpdated": "2026-11-20T08:00:00Z"}, active=False))

    run = synced(clinic, server)

    assert run.left == 1


@pytest.mark.parametrize("gone", [{"active": False}, {"deceasedBoolean": True}, {"deceasedDateTime": "2026-11-20"}])
def test_a_patient_who_left_or_died_leaves(server: Server, gone: dict[str, object]) -> None:
    clinic = a_clinic()
    server.has(a_resource(1), a_resource(2))
    synced(clinic, server)
    server.has(a_resource(1, meta={"lastUpdated": "2026-11-20T08:00:00Z"}, **gone), a_resource(2))

    run = synced(clinic, server)

    assert run.left == 1
    assert list(Patient.objects.filter(left_at__isnull=False).values_list("external_id", flat=True)) == ["P-1"]


@pytest.mark.parametrize("fault", ["breaks off", "half a page", "leads away"])
def test_a_server_that_half_answers_changes_nothing(server: Server, fault: str) -> None:
    clinic = a_clinic()
    server.has(*(a_resource(number) for number in range(1, 6)), fault=fault)

    run = synced(clinic, server)

    assert (run.state, numbers(run)) == (RunState.SOURCE_DOWN, (0, 0, 0, 0, 0))
    assert run.detail
    assert not Patient.objects.filter(clinic=clinic).exists()


def test_a_total_that_is_not_kept_decides_nothing(server: Server) -> None:
    clinic = a_clinic()
    server.has(*(a_resource(number) for number in range(1, 6)), fault="forgets pages")

    run = synced(clinic, server)

    assert (run.state, numbers(run)) == (RunState.DONE, (2, 0, 0, 0, 0))


def test_a_next_page_at_the_same_server_written_otherwise_is_followed(server: Server) -> None:
    clinic = a_clinic()
    server.has(*(a_resource(number) for number in range(1, 6)), fault="shouts")

    run = synced(clinic, server)

    assert numbers(run) == (5, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("base", "next_page", "same"),
    [
        ("https://fhir.example/r4", "https://fhir.example:443/r4/Patient?page=1", True),
        ("https://fhir.example:443/r4", "https://FHIR.example/r4/Patient?page=1", True),
        ("http://fhir.example/r4", "HTTP://fhir.example:80/r4/Patient?page=1", True),
        ("https://fhir.example/r4", "Patient?page=1", True),
        ("https://fhir.example/r4", "http://fhir.example/r4/Patient?page=1", False),
        ("https://fhir.example/r4", "https://fhir.example:8443/r4/Patient?page=1", False),
        ("https://fhir.example/r4", "https://fhir.example.evil/r4/Patient?page=1", False),
        ("https://fhir.example/r4", "https://me@fhir.example/r4/Patient?page=1", False),
        ("https://fhir.example/r4", "https://fhir.example:port/r4/Patient?page=1", False),
        ("https://fhir.example/r4", "https://[fhir.example/r4", False),
    ],
)
def test_which_next_page_is_the_same_server_s(base: str, next_page: str, same: bool) -> None:
    current = f"{base}/Patient?_count=200"

    def followed() -> str | None:
        return fhir_source.next_page({"link": [{"relation": "next", "url": next_page}]}, current, base)

    if same:
        assert followed()
    else:
        with pytest.raises(SourceDown, match="another server"):
            followed()


def test_a_server_whose_answer_only_drips_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_source, "ALTOGETHER", 0.3)
    server.has(a_resource(1), fault="drips")

    run = synced(a_clinic(), server)

    assert (run.state, numbers(run)) == (RunState.SOURCE_DOWN, (0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "url", ["https://a.example:99999", "https://a b.example", "https://ä.example", "https://", "x"]
)
def test_an_impossible_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        configuration.set_fhir(a_caller(a_clinic(), Role.ADMIN), url, "", now=NOW)


def test_a_refused_token_is_said_and_shown_nowhere(server: Server) -> None:
    clinic = a_clinic()
    server.has(a_resource(1))

    run = synced(clinic, server, token="wrong-secret")

    assert run.detail == "The FHIR server refuses the token. Give a new token."


@pytest.mark.parametrize(("value", "part"), [("@ana", "@username"), ("-100200", "group"), ("0171 234", "phone number")])
def test_a_wrong_telegram_id_is_named_and_the_patient_is_stored_without_it(
    server: Server, value: str, part: str
) -> None:
    clinic = a_clinic()
    server.has(a_resource(1, telecom=[{"system": "other", "value": f"telegram:{value}"}]))

    run = synced(clinic, server)

    assert Patient.objects.get(clinic=clinic).telegram_id is None
    assert part in sync.reasons(run)[0][1]
    assert "stored without it" in sync.reasons(run)[0][1]


def test_a_token_never_travels_unencrypted_to_another_machine() -> None:
    caller = a_caller(a_clinic(), Role.ADMIN)

    with pytest.raises(Refused):
        configuration.set_fhir(caller, "http://fhir.hospital.example/r4", "secret", now=NOW)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::ffff:10.0.0.1]", "192.168.0.1"])
def test_an_admin_s_server_in_a_private_network_is_not_even_asked(
    server: Server, settings: Settings, host: str
) -> None:
    settings.SANDBOX_ON = False
    clinic = a_clinic()
    port = server.url.rpartition(":")[2]
    configuration.set_fhir(a_caller(clinic, Role.ADMIN), f"http://{host}:{port}", "", now=NOW)

    run = sync.sync(clinic, clock=lambda: NOW)

    assert run.state == RunState.SOURCE_DOWN
    assert "a network that may not be reached" in run.detail
    assert server.searches() == []


def test_an_admin_s_server_in_a_private_network_is_asked_if_the_operator_allows_it(
    server: Server, settings: Settings
) -> None:
    settings.SANDBOX_ON = False
    settings.COMPANION = settings.COMPANION.model_copy(update={"fhir_private_networks": True})
    clinic = a_clinic()
    server.has(a_resource(1))
    configuration.set_fhir(a_caller(clinic, Role.ADMIN), server.url, TOKEN, now=NOW)

    assert numbers(sync.sync(clinic, clock=lambda: NOW)) == (1, 0, 0, 0, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::ffff:0.0.0.0]"])
def test_the_operators_server_is_never_at_an_address_that_no_server_may_have(server: Server, host: str) -> None:
    """Clouds show secrets at such addresses, and the person who keeps the server's name could choose one of them."""
    clinic = a_clinic()
    port = server.url.rpartition(":")[2]
    configuration.set_fhir(a_caller(clinic, Role.ADMIN), f"http://{host}:{port}", "", now=NOW, anywhere=True)

    run = sync.sync(clinic, clock=lambda: NOW)

    assert run.state == RunState.SOURCE_DOWN
    assert run.detail.endswith("a network that may not be reached.")
    assert server.searches() == []


def test_a_server_that_takes_for_ever_is_given_up(server: Server) -> None:
    server.has(a_resource(1))
    source = fhir_source.FhirSource(fhir_source.read_settings(server.url, TOKEN), seconds=-1)

    with pytest.raises(SourceDown, match="Nothing was changed"):
        list(source.read_all())


@pytest.mark.parametrize("field", ["url", "token", "identifier_system", "telegram"])
def test_no_setting_is_longer_than_anybody_means(field: str) -> None:
    given = {"url": "https://fhir.example", "token": ""} | {field: "https://fhir.example/" + "x" * 4000}

    with pytest.raises(Refused, match=field):
        fhir_source.read_settings(
            given["url"], given["token"], given.get("identifier_system", ""), given.get("telegram", "")
        )
