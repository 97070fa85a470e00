"""The inbox: which Conversations ask for staff, and who has each. What comes in opens them; members take, close them.

Each change is one guarded UPDATE or is made under the row's lock; zero rows means that somebody was faster, and says
so.
"""

import datetime as dt
import uuid
from typing import Final, Literal, get_args

from django.db import transaction
from django.db.models import F, Q, QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.members import member_called
from companion.clinics.models import Clinic, Member, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.listener.models import Conversation, Reply, Standing
from companion.planning import answers
from companion.schedules.models import Message

View = Literal["unread", "mine", "taken", "done", "strangers"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
COUNTED_TO: Final = 100
"""Counts stop here; from there on a page says "99+"."""


_HELD: Final = Q(standing=Standing.TAKEN, holder__isnull=False)
_NOBODY_S: Final = Q(standing=Standing.UNREAD) | Q(standing=Standing.TAKEN, holder=None)
"""Also what a member had who is none any more."""


def view(clinic: Clinic, which: View, caller: Caller) -> QuerySet[Conversation]:
    """The clinic's Conversations that stand there, the longest waiting first; those that are done, the newest first."""
    own = Conversation.objects.filter(clinic=clinic).select_related("patient", "holder", "last_reply", "unanswered")
    match which:
        case "unread":
            found = own.filter(_NOBODY_S, patient__isnull=False)
        case "mine":
            found = own.filter(_HELD, holder_id=_member_id(caller))
        case "taken":
            found = own.filter(_HELD)
        case "done":
            return own.filter(standing=Standing.DONE).order_by("-since", "-id")
        case "strangers":
            found = own.filter(_NOBODY_S, patient__isnull=True)
    return found.order_by("since", "id")


def urgent(clinic: Clinic) -> list[Conversation]:
    """Patients whose words ask for urgent help and whom nobody has taken, the longest waiting first."""
    own = Conversation.objects.filter(clinic=clinic, urgent_at__isnull=False, patient__isnull=False)
    return list(own.select_related("patient").order_by("urgent_at")[:COUNTED_TO])


def waiting(caller: Caller) -> int:
    """How many ask for the caller: what nobody has, and what came anew of the caller's own; at most COUNTED_TO."""
    nobody_s = _NOBODY_S & Q(patient__isnull=False)
    own_news = _HELD & Q(holder_id=_member_id(caller), unread__gt=0)
    own = Conversation.objects.filter(clinic=caller.clinic)
    return sum(own.filter(one).order_by()[:COUNTED_TO].count() for one in (nobody_s, own_news))


def conversation(clinic: Clinic, conversation_id: uuid.UUID) -> Conversation:
    """One of the clinic's. Raises Unknown."""
    found = Conversation.objects.filter(clinic=clinic, pk=conversation_id)
    one = found.select_related("patient", "holder", "last_reply", "unanswered").first()
    if one is None:
        raise Unknown("There is no such conversation in this clinic.")
    return one


def came(reply: Reply, *, urgent: bool, now: dt.datetime) -> bool:
    """Something came in that staff is to read. A word for urgent help goes to whoever takes it, whoever had it before.

    What is done opens again; what somebody has stays theirs. Whether it raised an alert that was not there already.
    """
    one = _locked(reply.clinic, reply.patient_id, reply.telegram_id, now)
    one.telegram_id, one.last_reply = reply.telegram_id, reply
    one.unread += 1
    raised = urgent and one.urgent_at is None
    if raised:
        one.urgent_at = now
    if one.standing == Standing.DONE or raised:
        _stand(one, Standing.UNREAD, now)
    one.save()
    return raised


def unanswered(message: Message, telegram_id: int, *, now: dt.datetime) -> None:
    """No answer to this Message came in time: shown to staff."""
    one = _locked(message.clinic, message.patient_id, telegram_id, now)
    one.unanswered = message
    if one.standing == Standing.DONE:
        _stand(one, Standing.UNREAD, now)
    one.save()


def answered(question: list[Message], *, now: dt.datetime) -> None:
    """The answer came after all; what asked for staff for want of it only is done by itself."""
    if not question:
        return
    own = Conversation.objects.select_for_update().filter(clinic=question[0].clinic_id, unanswered__in=question)
    for one in own:
        one.unanswered = None
        if one.standing == Standing.UNREAD and not one.unread and not one.urgent_at:
            _stand(one, Standing.DONE, now)
        one.save()


@transaction.atomic
def take(caller: Caller, one: Conversation, *, now: dt.datetime) -> Conversation:
    """The caller has it now, or had it already. Raises Conflict where somebody else was faster, and NotAllowed."""
    member = _member(caller)
    if _only(caller, one).filter(_HELD, holder=member).exists():
        return conversation(caller.clinic, one.pk)
    return _give_to(caller, one, member, now, only_if_free=True)


@transaction.atomic
def assign(caller: Caller, one: Conversation, email: str, *, now: dt.datetime) -> Conversation:
    """The member of this address has it now, whoever had it. Raises Refused where that is nobody, and NotAllowed."""
    caller.needs(Role.PROVIDER)
    found = member_called(caller.clinic, email)
    if found is None:
        raise Refused(Problem("member", "There is no such member in this clinic."))
    return _give_to(caller, one, found, now, only_if_free=False)


@transaction.atomic
def give_back(caller: Caller, one: Conversation, *, now: dt.datetime) -> Conversation:
    """Nobody has it any more, and it waits. Raises Conflict unless somebody had it."""
    taken = _only(caller, one).filter(standing=Standing.TAKEN)
    return _moved(caller, one, taken, Standing.UNREAD, "conversation given back", now, unread=F("unread"))


@transaction.atomic
def done(caller: Caller, one: Conversation, *, now: dt.datetime, seen: uuid.UUID | None = None) -> Conversation:
    """Nothing is left to do, until something comes in again. `seen`: the newest Reply that the caller has read.

    Raises Conflict where words ask for urgent help, and where something newer came in.
    """
    caller.needs(Role.PROVIDER)
    if one.urgent_at:
        raise Conflict("These words ask for urgent help. Take it first, so that everybody sees who looks after it.")
    open_ones = (
        _only(caller, one).exclude(standing=Standing.DONE).filter(urgent_at=None, last_reply=seen or one.last_reply)
    )
    return _moved(caller, one, open_ones, Standing.DONE, "conversation done", now, unread=0)


@transaction.atomic
def answer(caller: Caller, one: Conversation, text: str, *, now: dt.datetime, id: uuid.UUID | None = None) -> Message:
    """Writes back; whom nobody had, the caller has by it. Raises as `answers.from_member`."""
    they_wrote = one.last_reply is not None
    own = _only(caller, one)
    # Locked first: of one answer pressed twice at one moment, the second press finds the first one's Message.
    own.select_for_update().first()
    sent = answers.from_member(caller, one.patient, one.telegram_id, text, they_wrote=they_wrote, now=now, id=id)
    if not own.filter(_HELD).update(unread=0) and (member := _member_or_none(caller)):
        _give_to(caller, one, member, now, only_if_free=False)
    return sent


def looked_at(caller: Caller, one: Conversation) -> None:
    """The one who has it has read what came."""
    own = _only(caller, one).filter(standing=Standing.TAKEN, holder_id=_member_id(caller), unread__gt=0)
    own.update(unread=0)


def _locked(clinic: Clinic, patient: uuid.UUID | None, telegram_id: int, now: dt.datetime) -> Conversation:
    """The Conversation of this patient, or of the stranger in this chat; made where there is none. In a transaction."""
    whose = {"patient_id": patient} if patient else {"patient": None, "telegram_id": telegram_id}
    own = Conversation.objects.select_for_update().filter(clinic=clinic, **whose)
    found = own.first()
    if found is None:
        # Done, as it would be had nothing ever come; whoever comes here opens it.
        Conversation.objects.bulk_create(
            [Conversation(clinic=clinic, **{"telegram_id": telegram_id} | whose, standing=Standing.DONE, since=now)],
            ignore_conflicts=True,
        )
        found = own.get()
    return found


def _stand(one: Conversation, standing: Standing, now: dt.datetime) -> None:
    one.standing, one.since, one.holder, one.holder_name = standing, now, None, ""


def _give_to(
    caller: Caller, one: Conversation, member: Member, now: dt.datetime, *, only_if_free: bool
) -> Conversation:
    caller.needs(Role.PROVIDER)
    own = _only(caller, one)
    if only_if_free:
        own = own.exclude(_HELD)
    name = member.user.get_full_name() or member.user.email
    moved = own.update(standing=Standing.TAKEN, since=now, holder=member, holder_name=name, urgent_at=None, unread=0)
    if not moved:
        raise Conflict(_held(one))
    return _after(caller, one, "conversation taken", now)


def _moved(
    caller: Caller,
    one: Conversation,
    rows: QuerySet[Conversation],
    standing: Standing,
    action: str,
    now: dt.datetime,
    *,
    unread: object,
) -> Conversation:
    caller.needs(Role.PROVIDER)
    cleared = {"unanswered": None} if standing == Standing.DONE else {}
    if not rows.update(standing=standing, since=now, holder=None, holder_name="", unread=unread, **cleared):
        raise Conflict(_held(one))
    return _after(caller, one, action, now)


def _after(caller: Caller, one: Conversation, action: str, now: dt.datetime) -> Conversation:
    audit.record(caller, action, "conversation", one.pk, now=now)
    return conversation(caller.clinic, one.pk)


def _held(one: Conversation) -> str:
    one.refresh_from_db()
    if one.standing == Standing.TAKEN:
        return f"{one.holder_name} has it already."
    if one.standing == Standing.DONE:
        return "It is done already."
    return "Something came in meanwhile. Look at it again."


def _only(caller: Caller, one: Conversation) -> QuerySet[Conversation]:
    return Conversation.objects.filter(clinic=caller.clinic, pk=one.pk)


def _member_id(caller: Caller) -> uuid.UUID | None:
    return caller.id if caller.kind == "member" else None


def _member(caller: Caller) -> Member:
    caller.needs(Role.PROVIDER)
    member = _member_or_none(caller)
    if member is None:
        raise Conflict("Only a member can have a conversation. A program assigns it to one.")
    return member


def _member_or_none(caller: Caller) -> Member | None:
    member = _member_id(caller)
    own = Member.objects.filter(clinic=caller.clinic).select_related("user")
    return own.filter(pk=member).first() if member else None
