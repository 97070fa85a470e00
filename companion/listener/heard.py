"""What follows from a patient's own words: what waits for an answer has one, staff sees them, whom to call is said."""

from companion.delivery import following
from companion.listener import asking, inbox
from companion.listener.asking import Chat
from companion.listener.models import Reply, ReplyKind
from companion.listener.urgent import asks_for_help
from companion.schedules.models import Message


def heard(chat: Chat, reply: Reply, words: str) -> None:
    """A text, or content that is none, was kept as this Reply; `words` are the patient's own in it.

    Only a text answers a question: nobody can tell whether a photo or a sticker is an answer.
    """
    if reply.kind == ReplyKind.TEXT and (question := _answers(chat, reply)):
        following.answered(question, now=chat.now)
        inbox.answered(question, now=chat.now)
    clinic = chat.clinic
    urgent = bool(clinic.urgent_phone) and asks_for_help(words, clinic.urgent_words)
    if inbox.came(reply, urgent=urgent, now=chat.now):
        asking.call_instead(chat, reply.patient)


def _answers(chat: Chat, reply: Reply) -> list[Message]:
    """What it answers: the Message that it names, else the last one to this patient that waits for an answer."""
    message = reply.message
    if message is None and reply.patient_id:
        own = Message.objects.filter(clinic=chat.clinic, patient_id=reply.patient_id, answer_by__isnull=False)
        message = own.order_by("-sent_at").first()
    if message is None or message.version_id is None:
        return []
    locked = following.locked(Message.objects.filter(clinic=chat.clinic, pk=message.pk))
    return following.one_question(locked) if locked else []
