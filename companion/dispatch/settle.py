"""Writing conclusions down: Attempts closed, Messages ended, patients and bots marked. Inside a ledger transaction."""

import datetime as dt
import uuid
from collections.abc import Sequence

from companion.clinics.models import Bot, Closed
from companion.dispatch.conclude import Closing, Conclusion
from companion.schedules import lifecycle, sql

_MARK_PATIENTS = """
UPDATE patients_patient SET trouble = r.trouble, trouble_at = r.at
FROM r JOIN schedules_message m ON m.id = r.message
WHERE patients_patient.id = m.patient_id AND patients_patient.trouble <> r.trouble
"""


def settle(conclusions: Sequence[Conclusion]) -> None:
    """Writes down what came of these Attempts, and closes the bots that may not go on."""
    lifecycle.record([one.record for one in conclusions])
    marks = [
        {"message": one.record.message, "trouble": one.trouble, "at": one.record.at}
        for one in conclusions
        if one.trouble is not None
    ]
    if marks:
        (statement,) = sql.with_rows({"message": "uuid", "trouble": "text", "at": "timestamptz"}, _MARK_PATIENTS)
        sql.run(statement, (sql.parameter(marks),))
    for one in conclusions:
        if one.closing is not None:
            close(one.bot, one.closing)


def close(bot: uuid.UUID, closing: Closing) -> None:
    """Closes a bot for all dispatchers. A wait that Telegram asked for is never cut short by another one."""
    rows = Bot.objects.filter(pk=bot).exclude(closed_until__gt=closing.until)
    if closing.why != Closed.UNAUTHORIZED:
        rows = rows.exclude(closed_why=Closed.UNAUTHORIZED)
    rows.update(closed_until=closing.until, closed_why=closing.why)


def reopen(bot: uuid.UUID, *, now: dt.datetime) -> None:
    """The bot was asked and answered: it may send again."""
    Bot.objects.filter(pk=bot).update(closed_until=None, closed_why=Closed.NOT_CLOSED, last_answer_at=now)
