"""Chats that sent STOP, the ways in which patients come into them, and whether a message leaves for them."""

import datetime as dt
import io
from collections.abc import Callable

from companion.clinics.models import Bot
from companion.patients.importing import import_csv
from companion.patients.models import Patient
from companion.planning import marks
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import a_program
from tests.builders import NOW, a_caller
from tests.delivery.rounds import begun
from tests.listener.stories import CHAT, a_text, comes_in
from tests.web.signed_in import signed_in


def leaves(bot: Bot, message: Message) -> bool:
    """Return whether this Message leaves; else it ends as opted out."""
    began = message.pk in [attempt.message for attempt in begun(bot, NOW + dt.timedelta(minutes=10)).begun]
    message.refresh_from_db()
    assert began or (message.status, message.reason) == (Status.FAILED, Reason.OPTED_OUT)
    return began


def arrive(bot: Bot) -> None:
    """Send all waiting Messages."""
    begun(bot)
    waiting = Message.objects.filter(clinic=bot.clinic, status=Status.PENDING)
    waiting.update(status=Status.SENT, sent_at=NOW, ended_at=NOW, open_attempt_id=None, lease_until=None)


def stops(bot: Bot, chat: int = CHAT) -> None:
    """Send STOP from the chat, and the confirmation to it."""
    comes_in(bot, a_text(chat, "STOP"))
    arrive(bot)


def by_api(bot: Bot, values: dict[str, object]) -> None:
    assert a_program(bot.clinic).post("/patients", values).status == 201


def by_form(bot: Bot, values: dict[str, object]) -> None:
    typed = {"timezone": "Europe/Berlin", "language": "en"} | values
    assert signed_in(bot.clinic).post("/patients/new", typed).status_code == 302


def by_import(bot: Bot, values: dict[str, object]) -> None:
    lines = "\n".join(",".join(map(str, row)) for row in (values.keys(), values.values()))
    assert import_csv(a_caller(bot.clinic), io.BytesIO(lines.encode()), now=NOW).refused == []


DOORS: dict[str, Callable[[Bot, dict[str, object]], None]] = {"API": by_api, "form": by_form, "import": by_import}


def button_of(patient: Patient, answer: str) -> str:
    """Return the data of a button of the question about this patient."""
    return f"consent:{answer}:{patient.id.hex}"


def works_off_marks() -> None:
    """Work Marks off, as the Planner does."""
    while found := marks.oldest():
        marks.work_off(found, now=NOW)
