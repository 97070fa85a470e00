"""The inbox: Conversations that need staff, and the member to whom each is assigned.

A new message opens a Conversation; members take it and close it. Each change is one guarded UPDATE, or is made under
the row's lock. Zero changed rows mean that somebody was faster, and the Conflict says so.
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
"""Counting stops here; a page then shows "99+"."""


_TOLD: Final = ("standing", "holder_name")
_ASSIGNED: Final = Q(standing=Standing.TAKEN, holder__isnull=False)
_UNASSIGNED: Final = Q(standing=Standing.UNREAD) | Q(standing=Standing.TAKEN, holder=None)
"""Also Conversations of a former member."""


def view(clinic: Clinic, which: View, caller: Caller) -> QuerySet[Conversation]:
    """Return the clinic's Conversations in this view, the longest waiting first; done ones come newest first."""
    own = Conversation.objects.filter(clinic=clinic).select_related("patient", "holder", "last_reply", "unanswered")
    match which:
        case "unread":
            found = own.filter(_UNASSIGNED, patient__isnull=False)
        case "mine":
            found = own.filter(_ASSIGNED, holder_id=_member_id(caller))
        case "taken":
            found = own.filter(_ASSIGNED)
        case "done":
            return own.filter(standing=Standing.DONE).order_by("-since", "-id")
        case "strangers":
            found = own.filter(_UNASSIGNED, patient__isnull=True)
    return found.order_by("since", "id")


def urgent(clinic: Clinic) -> list[Conversation]:
    """Return unassigned Conversations of patients whose words ask for urgent help, the longest waiting first."""
    own = Conversation.objects.filter(clinic=clinic, urgent_at__isnull=False, patient__isnull=False)
    return list(own.select_related("patient").order_by("urgent_at")[:COUNTED_TO])


def waiting(caller: Caller) -> int:
    """Count the unassigned Conversations and the caller's own with new messages, each up to COUNTED_TO."""
    unassigned = _UNASSIGNED & Q(patient__isnull=False)
    callers_news = _ASSIGNED & Q(holder_id=_member_id(caller), unread__gt=0)
    own = Conversation.objects.filter(clinic=caller.clinic)
    return sum(own.filter(which).order_by()[:COUNTED_TO].count() for which in (unassigned, callers_news))


def find(clinic: Clinic, conversation_id: uuid.UUID) -> Conversation:
    """Return a Conversation of the clinic. Raises Unknown."""
    found = Conversation.objects.filter(clinic=clinic, pk=conversation_id)
    conversation = found.select_related("patient", "holder", "last_reply", "unanswered").first()
    if conversation is None:
        raise Unknown("There is no such conversation in this clinic.")
    return conversation


def came(reply: Reply, *, urgent: bool, now: dt.datetime) -> bool:
    """Show a Reply to staff: a done Conversation opens again, an assigned one stays assigned.

    Words that ask for urgent help take the assignment away, so that everybody sees them. Return whether they raised a
    new alert.
    """
    conversation = _locked(reply.clinic, reply.patient_id, reply.telegram_id, now)
    conversation.telegram_id, conversation.last_reply = reply.telegram_id, reply
    conversation.unread += 1
    raised = urgent and conversation.urgent_at is None
    if raised:
        conversation.urgent_at = now
    if conversation.standing == Standing.DONE or raised:
        _set_standing(conversation, Standing.UNREAD, now)
    conversation.save()
    return raised


def unanswered(message: Message, telegram_id: int, *, now: dt.datetime) -> None:
    """Show staff that no answer to this Message came in time."""
    conversation = _locked(message.clinic, message.patient_id, telegram_id, now)
    conversation.unanswered = message
    if conversation.standing == Standing.DONE:
        _set_standing(conversation, Standing.UNREAD, now)
    conversation.save()


def answered(question: list[Message], *, now: dt.datetime) -> None:
    """Note that the answer came after all. A Conversation that was open only for the missing answer is done."""
    if not question:
        return
    own = Conversation.objects.select_for_update().filter(clinic=question[0].clinic_id, unanswered__in=question)
    for conversation in own:
        conversation.unanswered = None
        if conversation.standing == Standing.UNREAD and not conversation.unread and not conversation.urgent_at:
            _set_standing(conversation, Standing.DONE, now)
        conversation.save()


@transaction.atomic
def take(caller: Caller, conversation: Conversation, *, now: dt.datetime) -> Conversation:
    """Assign the Conversation to the caller. Raises Conflict if somebody else was faster, and NotAllowed."""
    member = _member(caller)
    if _only(caller, conversation).filter(_ASSIGNED, holder=member).exists():
        return find(caller.clinic, conversation.pk)
    return _give_to(caller, conversation, member, now, only_if_free=True)


@transaction.atomic
def assign(caller: Caller, conversation: Conversation, email: str, *, now: dt.datetime) -> Conversation:
    """Assign the Conversation to the member with this address. Raises Refused if there is none, and NotAllowed."""
    caller.needs(Role.PROVIDER)
    found = member_called(caller.clinic, email)
    if found is None:
        raise Refused(Problem("member", "There is no such member in this clinic."))
    return _give_to(caller, conversation, found, now, only_if_free=False)


@transaction.atomic
def give_back(caller: Caller, conversation: Conversation, *, now: dt.datetime) -> Conversation:
    """Unassign the Conversation, so that it waits again. Raises Conflict unless it was assigned."""
    taken = _only(caller, conversation).filter(standing=Standing.TAKEN)
    return _moved(caller, conversation, taken, Standing.UNREAD, "conversation given back", now, unread=F("unread"))


@transaction.atomic
def done(
    caller: Caller, conversation: Conversation, *, now: dt.datetime, seen: uuid.UUID | None = None
) -> Conversation:
    """Close the Conversation until the next message. `seen` is the newest Reply that the caller has read.

    Raises Conflict if its words ask for urgent help, or if a newer Reply has come.
    """
    caller.needs(Role.PROVIDER)
    if conversation.urgent_at:
        raise Conflict("These words ask for urgent help. Take it first, so that everybody sees who looks after it.")
    open_ones = (
        _only(caller, conversation)
        .exclude(standing=Standing.DONE)
        .filter(urgent_at=None, last_reply=seen or conversation.last_reply)
    )
    return _moved(caller, conversation, open_ones, Standing.DONE, "conversation done", now, unread=0)


@transaction.atomic
def answer(
    caller: Caller, conversation: Conversation, text: str, *, now: dt.datetime, id: uuid.UUID | None = None
) -> Message:
    """Write back, and assign an unassigned Conversation to the caller. Raises as `answers.from_member`."""
    they_wrote = conversation.last_reply is not None
    own = _only(caller, conversation)
    # Locked first: if a member presses twice at one moment, the second press meets the Message of the first.
    own.select_for_update().first()
    sent = answers.from_member(
        caller, conversation.patient, conversation.telegram_id, text, they_wrote=they_wrote, now=now, id=id
    )
    if not own.filter(_ASSIGNED).update(unread=0) and (member := _member_or_none(caller)):
        _give_to(caller, conversation, member, now, only_if_free=False)
    return sent


def looked_at(caller: Caller, conversation: Conversation) -> None:
    """Mark the Conversation as read, if it is assigned to the caller."""
    own = _only(caller, conversation).filter(standing=Standing.TAKEN, holder_id=_member_id(caller), unread__gt=0)
    own.update(unread=0)


def _locked(clinic: Clinic, patient: uuid.UUID | None, telegram_id: int, now: dt.datetime) -> Conversation:
    """Lock the Conversation of this patient, or of the stranger in this chat, in a transaction. Make a missing one."""
    whose = {"patient_id": patient} if patient else {"patient": None, "telegram_id": telegram_id}
    own = Conversation.objects.select_for_update().filter(clinic=clinic, **whose)
    found = own.first()
    if found is None:
        # Done at first; the caller opens it.
        Conversation.objects.bulk_create(
            [Conversation(clinic=clinic, **{"telegram_id": telegram_id} | whose, standing=Standing.DONE, since=now)],
            ignore_conflicts=True,
        )
        found = own.get()
    return found


def _set_standing(conversation: Conversation, standing: Standing, now: dt.datetime) -> None:
    conversation.standing, conversation.since, conversation.holder, conversation.holder_name = standing, now, None, ""


def _give_to(
    caller: Caller, conversation: Conversation, member: Member, now: dt.datetime, *, only_if_free: bool
) -> Conversation:
    caller.needs(Role.PROVIDER)
    own = _only(caller, conversation)
    if only_if_free:
        own = own.exclude(_ASSIGNED)
    name = member.user.get_full_name() or member.user.email
    moved = own.update(standing=Standing.TAKEN, since=now, holder=member, holder_name=name, urgent_at=None, unread=0)
    if not moved:
        raise Conflict(_held(conversation))
    return _after(caller, conversation, "conversation taken", now)


def _moved(
    caller: Caller,
    conversation: Conversation,
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
        raise Conflict(_held(conversation))
    return _after(caller, conversation, action, now)


def _after(caller: Caller, conversation: Conversation, action: str, now: dt.datetime) -> Conversation:
    found = find(caller.clinic, conversation.pk)
    told = audit.differences(audit.columns(conversation, _TOLD), audit.columns(found, _TOLD))
    audit.record(caller, action, "conversation", conversation.pk, now=now, changes=told)
    return found


def _held(conversation: Conversation) -> str:
    conversation.refresh_from_db()
    if conversation.standing == Standing.TAKEN:
        return f"{conversation.holder_name} has it already."
    if conversation.standing == Standing.DONE:
        return "It is done already."
    return "A new message came in meanwhile. Read it, then try again."


def _only(caller: Caller, conversation: Conversation) -> QuerySet[Conversation]:
    return Conversation.objects.filter(clinic=caller.clinic, pk=conversation.pk)


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
    own = Member.objects.filter(clinic=caller.clinic, joined_at__isnull=False).select_related("user")
    return own.filter(pk=member).first() if member else None
