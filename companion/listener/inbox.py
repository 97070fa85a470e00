"""The inbox: Conversations that need staff, each with the member to whom it is assigned.

A new message opens a Conversation; a member takes it over, and closes it when it is done. Each change is one guarded
UPDATE, or is made under the row's lock. Zero changed rows mean that somebody was faster, and the Conflict says so.
"""

import datetime as dt
import uuid
from typing import Final, Literal, get_args

from django.db import transaction
from django.db.models import F, Q, QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.members import members_called
from companion.clinics.models import Clinic, Member, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.listener.models import Conversation, Reply, Standing
from companion.planning import answers
from companion.schedules.models import Message

View = Literal["unread", "mine", "taken", "done", "strangers"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
COUNTED_TO: Final = 100
"""The number at which counting stops; a page then shows "99+"."""
_AUDITED: Final = ("standing", "holder_name")
"""The columns whose changes the audit trail records."""
_ASSIGNED: Final = Q(standing=Standing.TAKEN, holder__isnull=False)
_UNASSIGNED: Final = Q(standing=Standing.UNREAD) | Q(standing=Standing.TAKEN, holder=None)
"""Unread Conversations, and those that were assigned to somebody who is no longer a member."""


def view(clinic: Clinic, which: View, caller: Caller) -> QuerySet[Conversation]:
    """Return the clinic's Conversations in this view. The longest waiting is first; in "done", the newest is first."""
    rows = Conversation.objects.filter(clinic=clinic).select_related("patient", "holder", "last_reply", "unanswered")
    match which:
        case "unread":
            rows = rows.filter(_UNASSIGNED, patient__isnull=False)
        case "mine":
            rows = rows.filter(_ASSIGNED, holder_id=_member_id(caller))
        case "taken":
            rows = rows.filter(_ASSIGNED)
        case "done":
            return rows.filter(standing=Standing.DONE).order_by("-since", "-id")
        case "strangers":
            rows = rows.filter(_UNASSIGNED, patient__isnull=True)
    return rows.order_by("since", "id")


def urgent(clinic: Clinic) -> list[Conversation]:
    """Return the unassigned Conversations in which patients ask for urgent help, the longest waiting first."""
    rows = Conversation.objects.filter(clinic=clinic, urgent_at__isnull=False, patient__isnull=False)
    return list(rows.select_related("patient").order_by("urgent_at")[:COUNTED_TO])


def waiting(caller: Caller) -> int:
    """Count the unassigned Conversations, and those with new messages that are assigned to the caller.

    Each count stops at COUNTED_TO.
    """
    unassigned = _UNASSIGNED & Q(patient__isnull=False)
    assigned_to_caller = _ASSIGNED & Q(holder_id=_member_id(caller), unread__gt=0)
    rows = Conversation.objects.filter(clinic=caller.clinic)
    return sum(rows.filter(which).order_by()[:COUNTED_TO].count() for which in (unassigned, assigned_to_caller))


def find(clinic: Clinic, conversation_id: uuid.UUID) -> Conversation:
    """Return a Conversation of the clinic. Raises Unknown."""
    rows = Conversation.objects.filter(clinic=clinic, pk=conversation_id)
    conversation = rows.select_related("patient", "holder", "last_reply", "unanswered").first()
    if conversation is None:
        raise Unknown("There is no such conversation in this clinic.")
    return conversation


def show_to_staff(reply: Reply, *, urgent: bool, now: dt.datetime) -> bool:
    """Show a Reply to staff: a done Conversation opens again, an assigned Conversation stays assigned.

    `urgent` words end the assignment, so that everybody sees the Conversation. Return whether a new call for urgent
    help began.
    """
    conversation = _locked(reply.clinic, reply.patient_id, reply.telegram_id, now)
    conversation.telegram_id, conversation.last_reply = reply.telegram_id, reply
    conversation.unread += 1
    is_new_call = urgent and conversation.urgent_at is None
    if is_new_call:
        conversation.urgent_at = now
    if conversation.standing == Standing.DONE or is_new_call:
        _set_standing(conversation, Standing.UNREAD, now)
    conversation.save()
    return is_new_call


def show_unanswered(message: Message, telegram_id: int, *, now: dt.datetime) -> None:
    """Show staff that no answer to this Message came in time."""
    conversation = _locked(message.clinic, message.patient_id, telegram_id, now)
    conversation.unanswered = message
    if conversation.standing == Standing.DONE:
        _set_standing(conversation, Standing.UNREAD, now)
    conversation.save()


def answered(question: list[Message], *, now: dt.datetime) -> None:
    """Note that the answer to this question came late. A Conversation that was open only because of it is done."""
    if not question:
        return
    rows = Conversation.objects.select_for_update().filter(clinic=question[0].clinic_id, unanswered__in=question)
    for conversation in rows:
        conversation.unanswered = None
        if conversation.standing == Standing.UNREAD and not conversation.unread and not conversation.urgent_at:
            _set_standing(conversation, Standing.DONE, now)
        conversation.save()


@transaction.atomic
def assign_to_caller(caller: Caller, conversation: Conversation, *, now: dt.datetime) -> Conversation:
    """Assign the Conversation to the caller. Raises Conflict if somebody else was faster, and NotAllowed."""
    member = _member(caller)
    if _row(caller, conversation).filter(_ASSIGNED, holder=member).exists():
        return find(caller.clinic, conversation.pk)
    return _assign_to(caller, conversation, member, now, only_if_free=True)


@transaction.atomic
def assign(caller: Caller, conversation: Conversation, email: str, *, now: dt.datetime) -> Conversation:
    """Assign the Conversation to the member with this address. Raises Refused if nobody has it, and NotAllowed."""
    caller.needs(Role.PROVIDER)
    called = [member for member in members_called(caller.clinic, email) if member.joined_at]
    if not called:
        raise Refused(Problem("member", "There is no such member in this clinic."))
    member = next((member for member in called if member.pk == caller.id), called[0])
    return _assign_to(caller, conversation, member, now, only_if_free=False)


@transaction.atomic
def unassign(caller: Caller, conversation: Conversation, *, now: dt.datetime) -> Conversation:
    """Unassign the Conversation, so that it waits again. Raises Conflict unless it was assigned."""
    taken = _row(caller, conversation).filter(standing=Standing.TAKEN)
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
        raise Conflict(
            "These words ask for urgent help. Assign the conversation to yourself first, so that everybody "
            "sees who takes care of it."
        )
    open_row = (
        _row(caller, conversation)
        .exclude(standing=Standing.DONE)
        .filter(urgent_at=None, last_reply=seen or conversation.last_reply)
    )
    return _moved(caller, conversation, open_row, Standing.DONE, "conversation done", now, unread=0)


@transaction.atomic
def answer(
    caller: Caller, conversation: Conversation, text: str, *, now: dt.datetime, id: uuid.UUID | None = None
) -> Message:
    """Send an answer, and assign an unassigned Conversation to the caller. Raises as `answers.from_member` does."""
    they_wrote = conversation.last_reply is not None
    row = _row(caller, conversation)
    # Lock the row first. If a member presses the button twice, the second press then finds the Message of the first.
    row.select_for_update().first()
    sent = answers.from_member(
        caller, conversation.patient, conversation.telegram_id, text, they_wrote=they_wrote, now=now, id=id
    )
    if not row.filter(_ASSIGNED).update(unread=0) and (member := _member_or_none(caller)):
        _assign_to(caller, conversation, member, now, only_if_free=False)
    return sent


def mark_read(caller: Caller, conversation: Conversation) -> None:
    """Mark the Conversation as read, if it is assigned to the caller."""
    assigned = _row(caller, conversation).filter(standing=Standing.TAKEN, holder_id=_member_id(caller))
    assigned.filter(unread__gt=0).update(unread=0)


def _locked(clinic: Clinic, patient: uuid.UUID | None, telegram_id: int, now: dt.datetime) -> Conversation:
    """Lock the Conversation of this patient, or of the stranger in this chat; make it if it is missing.

    The caller has begun a transaction.
    """
    whose = {"patient_id": patient} if patient else {"patient": None, "telegram_id": telegram_id}
    rows = Conversation.objects.select_for_update().filter(clinic=clinic, **whose)
    conversation = rows.first()
    if conversation is None:
        # A new Conversation is done at first; the caller opens it.
        Conversation.objects.bulk_create(
            [Conversation(clinic=clinic, **{"telegram_id": telegram_id} | whose, standing=Standing.DONE, since=now)],
            ignore_conflicts=True,
        )
        conversation = rows.get()
    return conversation


def _set_standing(conversation: Conversation, standing: Standing, now: dt.datetime) -> None:
    conversation.standing, conversation.since, conversation.holder, conversation.holder_name = standing, now, None, ""


def _assign_to(
    caller: Caller, conversation: Conversation, member: Member, now: dt.datetime, *, only_if_free: bool
) -> Conversation:
    caller.needs(Role.PROVIDER)
    row = _row(caller, conversation)
    if only_if_free:
        row = row.exclude(_ASSIGNED)
    name = member.user.get_full_name() or member.user.email
    moved = row.update(standing=Standing.TAKEN, since=now, holder=member, holder_name=name, urgent_at=None, unread=0)
    if not moved:
        raise Conflict(_why_not(conversation))
    return _after(caller, conversation, "conversation taken", now)


def _moved(
    caller: Caller,
    conversation: Conversation,
    row: QuerySet[Conversation],
    standing: Standing,
    action: str,
    now: dt.datetime,
    *,
    unread: object,
) -> Conversation:
    caller.needs(Role.PROVIDER)
    cleared = {"unanswered": None} if standing == Standing.DONE else {}
    if not row.update(standing=standing, since=now, holder=None, holder_name="", unread=unread, **cleared):
        raise Conflict(_why_not(conversation))
    return _after(caller, conversation, action, now)


def _after(caller: Caller, conversation: Conversation, action: str, now: dt.datetime) -> Conversation:
    found = find(caller.clinic, conversation.pk)
    changes = audit.differences(audit.columns(conversation, _AUDITED), audit.columns(found, _AUDITED))
    audit.record(caller, action, "conversation", conversation.pk, now=now, changes=changes)
    return found


def _why_not(conversation: Conversation) -> str:
    """Say what somebody else has done with the Conversation meanwhile."""
    conversation.refresh_from_db()
    if conversation.standing == Standing.TAKEN:
        return f"{conversation.holder_name} has this conversation already."
    if conversation.standing == Standing.DONE:
        return "This conversation is done already."
    return "A new message came in meanwhile. Read it, then try again."


def _row(caller: Caller, conversation: Conversation) -> QuerySet[Conversation]:
    return Conversation.objects.filter(clinic=caller.clinic, pk=conversation.pk)


def _member_id(caller: Caller) -> uuid.UUID | None:
    return caller.id if caller.kind == "member" else None


def _member(caller: Caller) -> Member:
    caller.needs(Role.PROVIDER)
    member = _member_or_none(caller)
    if member is None:
        raise Conflict("Only a member can take a conversation. A program can assign it to a member.")
    return member


def _member_or_none(caller: Caller) -> Member | None:
    member_id = _member_id(caller)
    members = Member.objects.filter(clinic=caller.clinic, joined_at__isnull=False).select_related("user")
    return members.filter(pk=member_id).first() if member_id else None
