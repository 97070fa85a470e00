"""`companion up --demo`: a clinic with invented patients, to try the product. A second start adds nothing.

All data comes in as it does for real clinics: by the CSV import, the checks of a plan, the Sandbox's phones.
"""

import csv
import datetime as dt
import io
import random
from typing import Final

from django.db import transaction

from companion.cli import prepare
from companion.cli.demo_people import AGREED, PEOPLE, REPLIES, SERIES, WRITTEN, Person, Series
from companion.clinics.access import Caller
from companion.clinics.members import caller_of_member
from companion.clinics.models import Clinic, Member
from companion.patients import consent, importing, queries
from companion.patients.models import Consent, Patient
from companion.planning import drafts, edit, short_form
from companion.sandbox import phone
from companion.sandbox.models import Phone, SandboxBot, State
from companion.times.walls import wall_name, zone_info

SLUG: Final = "demo"
NAME: Final = "Linden Practice"
ZONE: Final = "Europe/Berlin"
COUNTRY: Final = "DE"
URGENT_PHONE: Final = "+49 30 5550199"
ADMIN: Final = "admin@demo.example"
_SERVICES_START_IN: Final = dt.timedelta(seconds=20)
"""The first messages are due once the dispatcher runs. If they were due at once, all would be sent late."""


def demo_clinic(*, now: dt.datetime) -> Member:
    """Return the demo clinic's admin. Creates the clinic and its contents if they are missing.

    Raises Conflict if this database was used with a real bot.
    """
    with transaction.atomic():
        clinic, fresh = Clinic.objects.get_or_create(
            slug=SLUG,
            defaults={
                "name": NAME,
                "timezone": ZONE,
                "country": COUNTRY,
                "urgent_phone": URGENT_PHONE,
                "demo": True,
                "set_up_at": now,
                "created_at": now,
            },
        )
        # This comes first, because it refuses if the database was used with a real bot.
        bot = phone.bot_of(prepare.sandbox_bot(clinic, now=now).token)
        admin, _ = prepare.first_admin(clinic, now=now, email=ADMIN)
        if fresh and bot:
            _fill(caller_of_member(admin), bot, now)
    return admin


def _fill(caller: Caller, bot: SandboxBot, now: dt.datetime) -> None:
    phones = _phones(bot, now)
    importing.import_csv(caller, io.BytesIO(_csv(phones).encode()), now=now)
    patients = {patient.external_id: patient for patient in queries.patients(caller.clinic)}
    for external_id in AGREED:
        consent.note(caller, patients[external_id], Consent.GIVEN, now=now)
    for series in SERIES:
        _plan(caller, series, patients, now)
    for external_id, text in WRITTEN:
        short_form.send_one(caller, patients[external_id], text, now + _SERVICES_START_IN, now=now)
    for external_id, text in REPLIES:
        phone.type_text(bot, phones[external_id], text, now)


def _phones(bot: SandboxBot, now: dt.datetime) -> dict[str, Phone]:
    # Always the same ids, so that the demo looks the same on each machine.
    chance = random.Random(2026)  # noqa: S311  (nothing secret: the ids of a demo's phones)
    phones: dict[str, Phone] = {}
    for person in PEOPLE:
        if person.telegram is None:
            continue
        if person.phone_of:
            phones[person.external_id] = phones[person.phone_of]
            continue
        owner = (person.caregiver or person.name).partition(" ")[0]
        phones[person.external_id] = phone.new_phone(bot, owner, person.language, chance)
        if person.telegram != State.NOT_STARTED:
            phone.set_state(bot, phones[person.external_id], person.telegram, now=now)
    return phones


def _csv(phones: dict[str, Phone]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, importing.COLUMNS)
    writer.writeheader()
    writer.writerows(_row(person, phones.get(person.external_id)) for person in PEOPLE)
    return file.getvalue()


def _row(person: Person, sandbox_phone: Phone | None) -> dict[str, object]:
    return {
        "external_id": person.external_id,
        "name": person.name,
        "telegram_id": sandbox_phone.telegram_id if sandbox_phone else "",
        "birth_date": person.birth_date,
        "phone": person.phone,
        "caregiver": person.caregiver,
        "timezone": person.timezone,
        "language": person.language,
        "cohorts": person.cohorts,
    }


def _plan(caller: Caller, series: Series, patients: dict[str, Patient], now: dt.datetime) -> None:
    first_day = now.astimezone(zone_info(ZONE)).date() + dt.timedelta(days=series.starts_in_days)
    recipients: dict[str, object] = (
        {"patients": [str(patients[external_id].id) for external_id in series.people]}
        if series.people
        else {"cohort": str(queries.cohort(caller.clinic, series.cohort).id)}
    )
    starts_at = wall_name(dt.datetime.combine(first_day, dt.time.fromisoformat(series.time)))
    values = {"timezone": "patient", **series.values, **recipients, "starts_at": starts_at}
    planned = edit.create(caller, drafts.read(caller.clinic, values, now=now), now=now)
    if series.paused:
        edit.pause(caller, planned.schedule, now=now)
