"""Remove an archived clinic for good: first export all its rows, encrypted; then delete them.

The audit trail is kept: it names no patient and holds no text.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction

from companion.clinics import accounts, audit
from companion.clinics.members import command_line
from companion.clinics.models import Bot, Clinic
from companion.clinics.refusals import Conflict
from companion.delivery.lifecycle import ON_THE_WIRE
from companion.listener import media
from companion.listener.models import Media, MediaPart
from companion.restoring.backup import write_encrypted
from companion.restoring.clinic_rows import Table, tables
from companion.restoring.sealing import Lock
from companion.sandbox.models import SandboxBot
from companion.schedules.models import Message
from companion.service import old_pages

SECRETS: Final = frozenset({"token", "secret", "former_secret", "secret_hash", "token_hash", "settings", "url"})
"""Columns with secrets, or with addresses that hold secrets. An export leaves them out: it is only for reading."""


def export(clinic: Clinic, file: Path, lock: Lock, *, now: dt.datetime) -> int:
    """Write all rows and patients' files of the clinic into a new encrypted file, and return the number of rows.

    Raises Refused if there is no way to encrypt, and Conflict if the file exists or can't be written.
    """
    rows = 0
    audit.record_reading(command_line(clinic), "clinic exported", "clinic", clinic.pk, now=now)

    def write(plain: Path) -> None:
        nonlocal rows
        with ZipFile(plain, "w", ZIP_DEFLATED) as archive:
            for table in tables():
                rows += _write_table(archive, table, clinic)
            for attachment in Media.objects.filter(clinic=clinic, kept_at__isnull=False):
                with archive.open(f"files/{attachment.pk}", "w", force_zip64=True) as target:
                    for piece in media.read(attachment, 0, attachment.size or 0):
                        target.write(piece)

    write_encrypted(file, lock, write)
    return rows


def remove(clinic: Clinic, *, now: dt.datetime) -> None:
    """Delete every row of the archived clinic, and the accounts of people who are members of no other clinic.

    These are also the accounts of former members of any clinic: such an account opens nothing, and
    nobody knows any more which clinic it belonged to. Accounts of operators stay.

    Raises Conflict while a message is on the wire, or if the clinic is not archived.
    """
    with transaction.atomic():
        locked = Clinic.objects.select_for_update().get(pk=clinic.pk)
        if locked.archived_at is None:
            raise Conflict(f"{locked.name} is in use. Archive it first.")
        if Message.objects.filter(ON_THE_WIRE, clinic=locked).exists():
            raise Conflict("A message is on its way. Try again in a minute.")
        changes = audit.differences(audit.columns(locked, ("slug", "name")), {})
        audit.record(command_line(locked), "clinic removed", "clinic", locked.id, now=now, changes=changes)
        SandboxBot.objects.filter(telegram_id__in=list(_bots(locked))).delete()
        people = list(User.objects.filter(memberships__clinic=locked))
        for table in tables():
            # delete() would load all rows and obey PROTECT. The database checks the foreign keys at the commit.
            rows = table.rows(locked)
            rows._raw_delete(rows.db)
        leaving = list(User.objects.filter(is_staff=False, memberships=None))
        for person in {*people, *leaving}:
            # A session's row may hold a sentence for the next page, which may name a patient.
            accounts.end_sessions(person)
        User.objects.filter(pk__in=[person.pk for person in leaving]).delete()
        old_pages.empty_log_after_commit()


def _write_table(archive: ZipFile, table: Table, clinic: Clinic) -> int:
    if table.model is MediaPart:
        # `export` writes these files whole.
        return 0
    count = 0
    with archive.open(f"{table.model._meta.label_lower}.jsonl", "w", force_zip64=True) as target:
        for row in table.rows(clinic).order_by("pk").iterator(chunk_size=1000):
            target.write(f"{json.dumps(_values(row), cls=_Encoder, ensure_ascii=False)}\n".encode())
            count += 1
    return count


def _values(row: models.Model) -> dict[str, object]:
    return {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in SECRETS}


class _Encoder(DjangoJSONEncoder):
    def default(self, o: object) -> object:
        return base64.b64encode(bytes(o)).decode() if isinstance(o, bytes | memoryview) else super().default(o)


def _bots(clinic: Clinic) -> Iterator[int]:
    yield from Bot.objects.filter(clinic=clinic).values_list("telegram_id", flat=True)
