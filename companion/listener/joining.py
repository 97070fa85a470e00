"""Join what came in from two patients who turn out to be the same person: Replies, and Conversations in the inbox."""

import datetime as dt

from companion.listener.models import Conversation, Reply, Standing
from companion.patients.models import Patient


def join(gone: Patient, stays: Patient) -> None:
    """Give everything of the patient `gone` to the patient `stays`, in the caller's transaction."""
    Reply.objects.filter(clinic=stays.clinic_id, patient=gone).update(patient=stays)
    rows = Conversation.objects.select_for_update(of=("self",)).select_related("last_reply")
    both = {row.patient_id: row for row in rows.filter(clinic=stays.clinic_id, patient__in=(gone, stays))}
    ending, staying = both.get(gone.pk), both.get(stays.pk)
    if ending is None:
        return
    if staying is None:
        Conversation.objects.filter(pk=ending.pk).update(patient=stays)
        return
    _take_over(staying, ending)
    ending.delete()
    staying.save()


def _take_over(staying: Conversation, ending: Conversation) -> None:
    """Add to a conversation what waits in the other. It is unread if either was; otherwise it keeps a member."""
    newest = max((staying, ending), key=_last_reply_at)
    staying.telegram_id, staying.last_reply = newest.telegram_id, newest.last_reply
    staying.unread += ending.unread
    staying.unanswered = staying.unanswered or ending.unanswered
    staying.urgent_at = min(filter(None, (staying.urgent_at, ending.urgent_at)), default=None)
    staying.since = max(staying.since, ending.since)
    if Standing.UNREAD in (staying.standing, ending.standing):
        staying.standing, staying.holder, staying.holder_name = Standing.UNREAD, None, ""
    elif staying.standing == Standing.DONE:
        staying.standing, staying.holder, staying.holder_name = ending.standing, ending.holder, ending.holder_name


def _last_reply_at(conversation: Conversation) -> dt.datetime:
    return conversation.last_reply.at if conversation.last_reply else dt.datetime.min.replace(tzinfo=dt.UTC)
