"""The passes of rotate.py, and their rows. Called by inside.py."""

import os
import time
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connection, transaction

from bench import rows as bench_rows
from bench.inside import Figures
from bench.rows import _id, _numbers, _quoted, _run
from companion.clinics import resealing
from companion.clinics.sealed import seal, unseal
from companion.schedules.models import Attempt, Message, Schedule
from companion.service.key_ring import ring

TEXT, PURPOSE = "Dear Ana, please take your tablet now (09:00). Linden Clinic", "schedules.Attempt.text"
_BATCH = resealing.BATCH
_ATTEMPTS = """
INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, ended_at, outcome, text, telegram_id, note)
SELECT {id}, {clinic}, {message}, i, {now}, {now}, 'sent', %s, 5000000000 + i, '' FROM {numbers}
"""


def fill(rows: int) -> None:
    """Make this many Attempts with a sealed text."""
    schedule, now = Schedule.objects.get(), bench_rows._now()
    bench_rows.due(1, time.time() + 86_400)
    message = Message.objects.get(schedule=schedule)
    values = {"clinic": _quoted(schedule.clinic_id.hex), "message": _quoted(message.id.hex), "now": _quoted_at(now)}
    with transaction.atomic():
        _run(_ATTEMPTS.format(id=_id("12", "i"), numbers=_numbers(rows), **values), seal(TEXT, PURPOSE))
    bench_rows.analysed()


def _quoted_at(now: object) -> str:
    return f"'{now:%Y-%m-%d %H:%M:%S}'"


def plain() -> Figures:
    """Read all texts and write them as they are, in batches of the same size."""
    mark = connection.ops.quote_name(Attempt._meta.db_table)
    began, after = time.monotonic(), None
    while True:
        with connection.cursor() as cursor:
            behind = "" if after is None else "WHERE id > %s"
            cursor.execute(
                f"SELECT id, text FROM {mark} {behind} ORDER BY id LIMIT {_BATCH}", [] if after is None else [after]
            )
            found = cursor.fetchall()
        if not found:
            return {"seconds": time.monotonic() - began}
        after = found[-1][0]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {mark} SET text = %s WHERE id = %s", [(text, id) for id, text in found])


def rotate() -> Figures:
    """Seal all texts anew, as `companion keys rotate` does."""
    began = time.monotonic()
    shut = resealing.reseal_all(lambda _: None)
    assert not shut
    return {"seconds": time.monotonic() - began}


def opening(values: int) -> Figures:
    """Seconds to open a text: with a single key, by the ring's key in use, and by an older key."""
    in_use, older = ring().keys
    cipher, nonce = AESGCM(in_use.derived("sealed field")), os.urandom(12)
    single = b"\x01" + nonce + cipher.encrypt(nonce, TEXT.encode(), b"\x01" + PURPOSE.encode())
    by_older = AESGCM(older.derived("sealed field"))
    head = b"\x02" + bytes.fromhex(older.id)
    old = head + nonce + by_older.encrypt(nonce, TEXT.encode(), head + PURPOSE.encode())

    @cache
    def cipher_of(_secret: str) -> AESGCM:
        return cipher

    @cache
    def context(purpose: str) -> bytes:
        return b"\x01" + purpose.encode()

    def one_key(stored: bytes) -> str:
        data = bytes(stored)
        return cipher_of(settings.SECRET_KEY).decrypt(data[1:13], data[13:], context(PURPOSE)).decode()

    sealed = seal(TEXT, PURPOSE)
    return {
        "one key": _each(values, lambda: one_key(single)),
        "the key in use, of two": _each(values, lambda: unseal(sealed, PURPOSE)),
        "the key before, of two": _each(values, lambda: unseal(old, PURPOSE)),
        "no id, and the key in use": _each(values, lambda: unseal(single, PURPOSE)),
    }


def _each(values: int, call: Callable[[], str]) -> float:
    began = time.perf_counter()
    for _ in range(values):
        call()
    return (time.perf_counter() - began) / values
