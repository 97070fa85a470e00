"""Several processes that write and chain entries of the audit trail at the same moment."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, transaction

from companion.clinics import chain
from companion.clinics.models import AuditEntry
from tests.builders import a_clinic
from tests.clinics.trails import act, sql, verify
from tests.support.threads import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

WRITER = """
import sys
from companion.cli.ready import ready
ready()
from companion.clinics import audit, chain
from companion.clinics.members import command_line
from companion.clinics.models import Clinic
from companion.service.clock import database_now
clinic = Clinic.objects.get(slug=sys.argv[1])
for number in range(25):
    told = audit.differences({}, {"number": number})
    audit.record(command_line(clinic), "counted", "clinic", clinic.pk, now=database_now(), changes=told)
    chain.catch_up(clinic.pk)
"""


def test_processes_that_write_at_the_same_moment_make_one_whole_chain(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    clinic = a_clinic(slug="linden")
    command = [sys.executable, "-c", WRITER, "linden"]

    writers = [subprocess.Popen(command, env=product_environment, cwd=tmp_path) for _ in range(3)]
    ends = [writer.wait(300) for writer in writers]

    numbers = AuditEntry.objects.filter(clinic=clinic).order_by("number").values_list("number", flat=True)
    assert ends == [0, 0, 0]
    assert list(numbers) == list(range(1, 76))
    assert "linden: the audit trail is whole (75 entries)" in verify().output


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite only one process can write")
def test_while_one_clinics_trail_is_chained_no_act_and_no_other_clinic_waits() -> None:
    clinic, other = a_clinic(), a_clinic()

    def acts_go_on() -> int:
        sql("SET lock_timeout = '20s'")
        act(clinic)
        act(other)
        chain.catch_up(other.pk)
        head = chain.head(other.pk)
        return head.number if head else 0

    with transaction.atomic():
        chain.take_turns(clinic.pk)
        number = in_thread(acts_go_on)

    assert number == 1
