"""Removing an archived clinic for good: first an encrypted export of all its rows, then the rows go.

The audit trail stays: it names no patient and holds no text.
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

from companion.clinics import audit
from companion.clinics.members import command_line
from companion.clinics.models import Bot, Clinic, Member
from companion.clinics.refusals import Conflict
from companion.delivery.lifecycle import ON_THE_WIRE
from companion.listener import media
from companion.listener.models import Media, MediaPart
from companion.restoring.backup import kept_whole
from companion.restoring.clinic_rows import Table, tables
from companion.restoring.sealing import Lock
from companion.sandbox.models import SandboxBot
from companion.schedules.models import Message
from companion.service import old_pages

SECRETS: Final = frozenset({"token", "secret", "former_secret", "secret_hash", "token_hash", "settings", "url"})
"""Columns that open something elsewhere. An export is for reading."""


def export(clinic: Clinic, file: Path, lock: Lock, *, now: dt.datetime) -> int:
    """Write all rows and patients' files of the clinic into a new encrypted file, and return the number of rows.

    Raises Refused without a way to encrypt, and Conflict if the file can't be written or is there already.
    """
    rows = 0
    audit.record_reading(command_line(clinic), "clinic exported", "clinic", clinic.pk, now=now)

    def write(plain: Path) -> None:
        nonlocal rows
        with ZipFile(plain, "w", ZIP_DEFLATED) as archive:
            for table in tables():
                rows += _write_table(archive, table, clinic)
            for one in Media.objects.filter(clinic=clinic, kept_at__isnull=False):
                with archive.open(f"files/{one.pk}", "w", force_zip64=True) as target:
                    for piece in media.read(one, 0, one.size or 0):
                        target.write(piece)

    kept_whole(file, lock, write)
    return rows


def remove(clinic: Clinic, *, now: dt.datetime) -> None:
    """Delete every row of the archived clinic, and the accounts that belonged to it alone. Raises Conflict while a
    message is on the wire, or if the clinic is in use.
    """
    with transaction.atomic():
        locked = Clinic.objects.select_for_update().get(pk=clinic.pk)
        if locked.archived_at is None:
            raise Conflict(f"{locked.name} is in use. Archive it first.")
        if Message.objects.filter(ON_THE_WIRE, clinic=locked).exists():
            raise Conflict("A message is on its way. Try again in a minute.")
        told = audit.differences(audit.columns(locked, ("slug", "name")), {})
        audit.record(command_line(locked), "clinic removed", "clinic", locked.id, now=now, changes=told)
        SandboxBot.objects.filter(telegram_id__in=list(_bots(locked))).delete()
        alone = list(_accounts_of(locked))
        for table in tables():
            # Not delete(), which would load all rows and heed PROTECT. Their foreign keys are checked at the commit.
            rows = table.rows(locked)
            rows._raw_delete(rows.db)
        User.objects.filter(pk__in=alone).delete()
        old_pages.empty_log_after_commit()


def _write_table(archive: ZipFile, table: Table, clinic: Clinic) -> int:
    if table.model is MediaPart:
        # Its files are written whole.
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


def _accounts_of(clinic: Clinic) -> Iterator[int]:
    elsewhere = Member.objects.exclude(clinic=clinic).values("user")
    own = User.objects.filter(memberships__clinic=clinic, is_staff=False).exclude(pk__in=elsewhere)
    yield from own.values_list("pk", flat=True)
