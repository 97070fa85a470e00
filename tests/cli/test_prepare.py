"""Preparations before services start: the first bot, the guards, the demo clinic."""

import uuid

import pytest
from django.conf import settings as django_settings
from pydantic import SecretStr
from pytest_django import Settings

from companion.cli import prepare
from companion.cli.demo import demo_clinic
from companion.clinics import bots
from companion.clinics.clinics import first_clinic
from companion.clinics.models import Bot, Clinic, Role
from companion.clinics.refusals import Conflict
from companion.clinics.seals import COLUMNS
from companion.patients.models import Consent, Patient
from companion.planning.archiving import archive
from companion.restoring import removing
from companion.schedules.models import Message, Schedule, State
from tests.builders import NOW, a_bot, a_clinic, a_member
from tests.clinics.trails import act, sql
from tests.support.stand_in import StandIn

pytestmark = pytest.mark.django_db
TOKEN = f"123456789:{'B' * 35}"


@pytest.fixture
def real(settings: Settings, telegram: StandIn) -> None:
    """The Sandbox is off, a token is set, and this is Telegram."""
    given = {"telegram_bot_token": SecretStr(TOKEN), "telegram_api_url": telegram.url, "sandbox": False}
    settings.COMPANION = settings.COMPANION.model_copy(update=given)
    settings.SANDBOX_ON = False


@pytest.mark.usefixtures("real")
def test_the_token_of_the_environment_connects_the_first_clinics_bot() -> None:
    clinic = a_clinic()

    note = prepare.first_bot(clinic, now=NOW)

    assert note == ""
    assert Bot.objects.get(clinic=clinic).token == TOKEN


@pytest.mark.usefixtures("real")
def test_a_first_token_that_telegram_refuses_is_connected_and_told_of(telegram: StandIn) -> None:
    telegram.authorized = False

    note = prepare.first_bot(a_clinic(), now=NOW)

    assert "does not accept this token" in note
    assert Bot.objects.count() == 1


@pytest.mark.usefixtures("real")
def test_a_token_that_telegram_refuses_never_replaces_the_bot_that_serves(telegram: StandIn) -> None:
    clinic = a_clinic()
    serving = a_bot(clinic, sandbox=False)
    telegram.authorized = False

    note = prepare.first_bot(clinic, now=NOW)

    assert "the clinic keeps its present bot" in note
    assert Bot.objects.get(clinic=clinic).token == serving.token


@pytest.mark.usefixtures("real")
def test_the_bot_of_a_removed_first_clinic_takes_no_other_clinics_place() -> None:
    """The token is still in the environment, and the second clinic is now the first."""
    linden, birch = a_clinic(slug="linden"), a_clinic(slug="birch")
    prepare.first_bot(linden, now=NOW)
    serving = a_bot(birch, sandbox=False)
    removing.remove(archive(linden, now=NOW), now=NOW)

    note = prepare.first_bot(first_clinic(now=NOW), now=NOW)

    assert "it was the bot of a clinic that was removed" in note
    assert Bot.objects.get().token == serving.token


@pytest.mark.usefixtures("real")
def test_a_removed_clinics_bot_that_an_admin_gave_to_another_clinic_serves_there() -> None:
    linden = a_clinic(slug="linden")
    prepare.first_bot(linden, now=NOW)
    removing.remove(archive(linden, now=NOW), now=NOW)
    birch = a_clinic(slug="birch")
    bots.connect(birch, TOKEN, "birch_bot", sandbox=False, now=NOW)

    note = prepare.first_bot(birch, now=NOW)

    assert note == ""
    assert Bot.objects.get(clinic=birch).token == TOKEN


@pytest.mark.usefixtures("real")
def test_without_the_sandbox_and_without_a_token_nothing_is_connected(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_bot_token": None})

    prepare.first_bot(a_clinic(), now=NOW)

    assert not Bot.objects.exists()


def test_the_sandbox_and_a_real_token_together_are_refused(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_bot_token": SecretStr(TOKEN)})

    with pytest.raises(Conflict, match="COMPANION_TELEGRAM_BOT_TOKEN"):
        prepare.check_start()


def test_data_that_met_a_real_bot_does_not_start_with_the_sandbox_on() -> None:
    a_bot(a_clinic(), sandbox=False)

    with pytest.raises(Conflict, match="was used with a real bot"):
        prepare.check_start()


@pytest.mark.usefixtures("real")
def test_demo_data_does_not_start_with_a_real_token() -> None:
    clinic = a_clinic(demo=True)

    with pytest.raises(Conflict, match="invented Telegram IDs"):
        prepare.first_bot(clinic, now=NOW)


def test_another_secret_key_stops_the_start_in_words(settings: Settings) -> None:
    a_bot(a_clinic())
    settings.SECRET_KEY = "another"

    with pytest.raises(Conflict, match="COMPANION_SECRET_KEY"):
        prepare.check_start()


def test_the_sandboxs_bot_is_made_once() -> None:
    clinic = a_clinic()

    first = prepare.sandbox_bot(clinic, now=NOW)

    assert prepare.sandbox_bot(clinic, now=NOW).token == first.token


def test_the_first_admin_is_made_once() -> None:
    clinic = a_clinic()

    made = [prepare.first_admin(clinic, now=NOW)[1] for _ in range(2)]

    assert made == [True, False]


def test_a_clinic_that_has_an_admin_gets_no_other() -> None:
    clinic = a_clinic()
    admin = a_member(clinic, Role.ADMIN)

    assert prepare.first_admin(clinic, now=NOW) == (admin, False)


def test_the_demo_is_all_there() -> None:
    clinic = demo_clinic(now=NOW).clinic

    assert clinic.demo
    assert Patient.objects.filter(clinic=clinic).count() == 25
    assert Patient.objects.filter(clinic=clinic, consent=Consent.GIVEN).count() == 7
    assert Schedule.objects.filter(clinic=clinic, state=State.ACTIVE).count() == 8
    assert Message.objects.filter(clinic=clinic, schedule=None).count() == 8


def test_two_children_of_the_demo_share_their_mothers_phone() -> None:
    clinic = demo_clinic(now=NOW).clinic

    children = Patient.objects.filter(clinic=clinic, caregiver="Jana Becker")

    assert len({child.telegram_id for child in children}) == 1
    assert children.count() == 2


def test_the_demo_a_second_time_adds_nothing() -> None:
    demo_clinic(now=NOW)
    before = [model.objects.count() for model in (Clinic, Patient, Schedule, Message, Bot)]

    demo_clinic(now=NOW)

    assert [model.objects.count() for model in (Clinic, Patient, Schedule, Message, Bot)] == before


def test_the_demo_is_refused_where_a_real_bot_was_met() -> None:
    a_bot(a_clinic(), sandbox=False)

    with pytest.raises(Conflict, match="was used with a real bot"):
        demo_clinic(now=NOW)

    assert not Clinic.objects.filter(demo=True).exists()


def test_the_demo_uses_the_sandbox() -> None:
    assert django_settings.SANDBOX_ON
    assert demo_clinic(now=NOW).clinic.bot.sandbox


@pytest.mark.both_databases
@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("odd", ["[]", "7", "{}", '{"telegram_id": []}', '{"telegram_id": [null, 123456789]}'])
def test_a_forged_entry_about_a_removed_clinics_bot_keeps_no_bot_away(odd: str) -> None:
    """A person who knows the services' password may add entries to the audit trail."""
    clinic = a_clinic()
    act(clinic)
    forged = {"id": "%s", "clinic_id": "%s", "action": "'real bot connected'", "changes": "%s"}
    sql(
        f"INSERT INTO clinics_auditentry ({', '.join(COLUMNS)}, key_id, seal) "
        f"SELECT {', '.join(forged.get(column, column) for column in COLUMNS)}, key_id, seal FROM clinics_auditentry",
        uuid.uuid4(),
        uuid.uuid4(),
        odd,
    )

    note = prepare.first_bot(clinic, now=NOW)

    assert note == ""
    assert Bot.objects.get(clinic=clinic).token == TOKEN
