"""`Idempotency-Key` on creating POSTs: a repeated call gets the first answer and creates nothing.

A claim on the key is committed first, so that a parallel call with the same key sees that a call is running. One
transaction then stores the new object and the answer together. A crash leaves both or only the claim, which the next
call takes over. A refused call creates nothing, so its key stays free for the corrected body.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction

from companion.api.models import IdempotentCall
from companion.clinics.access import Caller
from companion.clinics.ids import new_id
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.rights.copies import Erased
from companion.service.key_ring import keyed_hashes

HEADER: Final = "Idempotency-Key"
KEPT: Final = dt.timedelta(hours=24)
TAKEN_OVER: Final = dt.timedelta(seconds=60)
_RUNNING: Final = "A call with this Idempotency-Key is still running. Try again in a moment."
_ERASED: Final = "This call was carried out before. Its answer was deleted, because it named a patient who was erased."
KEY_PATTERN: Final = "[!-~]{1,255}"
_KEY: Final = re.compile(KEY_PATTERN)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer's status, JSON text and ETag (empty: none)."""

    status: int
    text: str
    tag: str = ""


def once(
    caller: Caller, key: str, call: str, body: object, create: Callable[[], StoredAnswer], *, now: dt.datetime
) -> StoredAnswer:
    """Run `create`, or return the answer of the first call with this key.

    `call` is the operation's method and address. Raises Refused if the key was used for another call or body,
    Conflict while the first call still runs, and the errors that `create` raises.
    """
    key = read_key(key)
    digests = digests_of(call, body)
    IdempotentCall.objects.filter(clinic=caller.clinic, created_at__lt=now - KEPT).delete()
    claim = _claim(caller, key, digests, now)
    if claim.request_hash not in digests:
        raise Refused(Problem(HEADER, "This key was used with another body. Use a new key for another call."))
    if claim.status is not None:
        if claim.answer is None:
            raise Conflict(_ERASED)
        return StoredAnswer(claim.status, claim.answer, claim.tag)
    return _run(claim, create)


def digests_of(call: str, body: object) -> list[str]:
    """Return the digests by which a call may be stored. The first, by the key in use, is stored from now on.

    The others are by former keys, and the last is without a key, as an older version stored it. The order of a body's
    fields makes no difference. Without the secret key nobody can try out which text a stored call had.
    """
    written = json.dumps([call, body], sort_keys=True)
    return [*keyed_hashes("repeated call", written), hashlib.sha256(written.encode()).hexdigest()]


def forget(erased: Erased) -> None:
    """Delete the answers that name an erased patient. Their keys stay: a repeated call does nothing a second time."""
    answered = IdempotentCall.objects.filter(clinic=erased.clinic, answer__isnull=False)
    named = [call.pk for call in answered.only("answer").iterator(1000) if erased.is_named_in(call.answer or "")]
    IdempotentCall.objects.filter(pk__in=named).update(answer=None)


def drop_old(now: dt.datetime) -> None:
    """Delete the answers of all clinics, and their keys, after the time for which they are kept."""
    IdempotentCall.objects.filter(created_at__lt=now - KEPT).delete()


def read_key(key: str) -> str:
    """Return the header's value. Raises Refused if it is too long, or holds other than visible ASCII characters."""
    if not _KEY.fullmatch(key):
        raise Refused(Problem(HEADER, "Write 1 to 255 visible ASCII characters, like a UUID."))
    return key


def _claim(caller: Caller, key: str, digests: Sequence[str], now: dt.datetime) -> IdempotentCall:
    """Return the row of this key: a claim that this call may run, or an ended call. Raises Conflict while one runs."""
    fresh = IdempotentCall(
        clinic=caller.clinic, owner_id=caller.id or caller.clinic.id, key=key, request_hash=digests[0], created_at=now
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        return _claimed_before(fresh, digests, now)
    return fresh


def _claimed_before(fresh: IdempotentCall, digests: Sequence[str], now: dt.datetime) -> IdempotentCall:
    same_key = IdempotentCall.objects.filter(clinic=fresh.clinic, owner_id=fresh.owner_id, key=fresh.key)
    with transaction.atomic():
        # A running call holds the lock of its row (see _run) until it ends. A refused call has deleted its row.
        earlier = same_key.select_for_update(skip_locked=True).first()
        if earlier is None:
            raise Conflict(_RUNNING)
        if earlier.status is None and earlier.request_hash in digests:
            if earlier.created_at > now - TAKEN_OVER:
                raise Conflict(_RUNNING)
            # The process of the earlier call has died. If it is alive after all and about to lock its row, it finds no
            # row with its id, and gives up.
            same_key.filter(id=earlier.id).delete()
            fresh.id = new_id()
            fresh.save(force_insert=True)
            return fresh
        return earlier


def _run(claim: IdempotentCall, create: Callable[[], StoredAnswer]) -> StoredAnswer:
    ours = IdempotentCall.objects.filter(clinic_id=claim.clinic_id, id=claim.id)
    ended = False
    try:
        with transaction.atomic():
            if not ours.select_for_update().exists():
                # Another call took this claim over while this process was stopped.
                raise Conflict(_RUNNING)
            answer = create()
            ours.update(status=answer.status, answer=answer.text, tag=answer.tag)
        ended = True
    finally:
        if not ended:
            ours.filter(status__isnull=True).delete()
    return answer
