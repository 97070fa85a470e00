"""`companion restored`, after a restore by other means: a Journal is proof only if the operator names its folder."""

import datetime as dt
from pathlib import Path

from companion.clinics.models import Clinic, Role
from companion.journal import writing
from companion.journal.entries import Peers
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from tests.builders import a_clinic, a_message, a_patient
from tests.restoring.places import Place, the_tests_own
from tests.restoring.writers import a_writer
from tests.web.signed_in import signed_in, words

_EARLY = "staff sent early"


def a_copy(environment: dict[str, str], folder: Path) -> tuple[Place, Message, str]:
    """A copy of an hour ago with a message that was due since, beside a whole Journal that tells of no sending."""
    now, journal = database_now(), folder / "journal"
    taken = now - dt.timedelta(hours=1)
    with writing.process_journal(journal, "dispatcher", 35) as kept:
        writing.write(Peers(now - dt.timedelta(minutes=1), [kept.id]))
    a_writer(kept.id, at=taken)
    message = a_message(a_patient(a_clinic()), due_at=now - dt.timedelta(minutes=10))
    place = the_tests_own(environment | {"COMPANION_JOURNAL_DIR": str(journal)}, folder)
    return place, message, taken.isoformat()


def test_a_journal_that_a_snapshot_may_have_brought_back_holds_what_was_due(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    copy, message, taken = a_copy(product_environment, tmp_path)

    said = copy.run("restored", "--taken", taken)

    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert _EARLY in said
    assert _EARLY in words(signed_in(Clinic.objects.get(), Role.ADMIN).get("/mcp/resume"))


def test_a_journal_that_the_operator_names_as_a_survivor_lets_the_rest_go(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    copy, message, taken = a_copy(product_environment, tmp_path)

    said = copy.run("restored", "--taken", taken, "--journal", str(tmp_path / "journal"))

    message.refresh_from_db()
    assert message.status == Status.PENDING
    assert _EARLY not in said
    assert _EARLY not in words(signed_in(Clinic.objects.get(), Role.ADMIN).get("/mcp/resume"))
