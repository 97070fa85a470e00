"""Joins what came in from two patients who turn out to be one: Replies, and the two Conversations in the inbox."""

import datetime as dt

from companion.listener.models import Conversation, Reply, Standing
from companion.patients.models import Patient


def join(gone: Patient, stays: Patient) -> None:
    """Give everything to the patient who goes on, in the caller's transaction."""
    Reply.objects.filter(clinic=stays.clinic_id, patient=gone).update(patient=stays)
    rows = Conversation.objects.select_for_update(of=("self",)).select_related("last_reply")
    both = {one.patient_id: one for one in rows.filter(clinic=stays.clinic_id, patient__in=(gone, stays))}
    theirs, own = both.get(gone.pk), both.get(stays.pk)
    if theirs is None:
        return
    if own is None:
        Conversation.objects.filter(pk=theirs.pk).update(patient=stays)
        return
    _take_over(own, theirs)
    theirs.delete()
    own.save()


def _take_over(own: Conversation, theirs: Conversation) -> None:
    """Join everything that waits in either conversation, and keep a responsible member of either."""
    newest = max((own, theirs), key=_heard_at)
    own.telegram_id, own.last_reply = newest.telegram_id, newest.last_reply
    own.unread += theirs.unread
    own.unanswered = own.unanswered or theirs.unanswered
    own.urgent_at = min(filter(None, (own.urgent_at, theirs.urgent_at)), default=None)
    own.since = max(own.since, theirs.since)
    if Standing.UNREAD in (own.standing, theirs.standing):
        own.standing, own.holder, own.holder_name = Standing.UNREAD, None, ""
    elif own.standing == Standing.DONE:
        own.standing, own.holder, own.holder_name = theirs.standing, theirs.holder, theirs.holder_name


def _heard_at(conversation: Conversation) -> dt.datetime:
    return conversation.last_reply.at if conversation.last_reply else dt.datetime.min.replace(tzinfo=dt.UTC)
