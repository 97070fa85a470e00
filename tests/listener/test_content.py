"""Messages without text: staff sees what a patient sent, and service messages are no replies."""

import datetime as dt

import pytest
from aiogram.enums import ContentType
from hypothesis import HealthCheck, given, settings

from companion.clinics.models import Bot, Clinic
from companion.listener.models import Conversation, Reply, ReplyKind, Standing
from companion.patients.models import Consent, Patient
from companion.schedules.models import Message
from tests.builders import NOW
from tests.listener.stories import a_question, a_text, answers, comes_in, our_message, something_else
from tests.telegram.test_incoming import TEXT, mutated

pytestmark = pytest.mark.django_db

FILE: dict[str, object] = {"file_id": "f", "file_unique_id": "u"}
PLACE: dict[str, object] = {"latitude": 52.52000659, "longitude": -13.404954}
SINCE_NOON: dict[str, object] = {"type": "paragraph", "text": "since noon"}
SENT_BY_PEOPLE: list[tuple[dict[str, object], str]] = [
    ({"sticker": FILE | {"emoji": "😀", "type": "regular"}}, "[sticker] 😀"),
    ({"photo": [FILE, FILE]}, "[photo]"),
    ({"photo": [FILE], "caption": "my arm"}, "[photo] my arm"),
    ({"live_photo": FILE | {"duration": 3}}, "[live_photo]"),
    ({"voice": FILE | {"duration": 67}}, "[voice] 1:07"),
    ({"voice": FILE | {"duration": "long"}}, "[voice]"),
    ({"voice": "?"}, "[voice]"),
    ({"video_note": FILE | {"duration": 5, "length": 240}}, "[video_note] 0:05"),
    ({"video": FILE | {"duration": 600, "file_name": "fall.mp4"}}, "[video] fall.mp4 · 10:00"),
    ({"audio": FILE | {"duration": 61, "performer": "Ana", "title": "Cough"}}, "[audio] Ana – Cough · 1:01"),
    ({"document": FILE | {"file_name": "letter.pdf"}, "caption": "from Dr. Bo"}, "[document] letter.pdf from Dr. Bo"),
    ({"animation": FILE | {"duration": 2}, "document": FILE | {"file_name": "x.mp4"}}, "[animation] 0:02"),
    ({"location": PLACE}, "[location] 52.520007, -13.404954"),
    ({"location": {"latitude": 52, "longitude": 1000}}, "[location]"),
    (
        {"location": PLACE, "venue": {"location": PLACE, "title": "Café", "address": "Street 1"}},
        "[venue] 52.520007, -13.404954 · Café · Street 1",
    ),
    (
        {"contact": {"first_name": "Maria", "last_name": "Silva", "phone_number": "+351 900"}},
        "[contact] Maria Silva · +351 900",
    ),
    ({"poll": {"question": "When?", "options": [{"text": "Mon"}, {"text": "Tue"}]}}, "[poll] When? · Mon · Tue"),
    ({"dice": {"emoji": "🎲", "value": 4}}, "[dice] 🎲 4"),
    ({"story": {"chat": {"id": 1, "type": "private"}, "id": 1}}, "[story]"),
    ({"paid_media": {"star_count": 1, "paid_media": []}}, "[paid_media]"),
    ({"checklist": {"title": "Today", "tasks": [{"id": 1, "text": "Pill"}]}}, "[checklist] Today · Pill"),
    ({"game": {"title": "Chess", "description": "", "photo": []}}, "[game] Chess"),
    ({"invoice": {"title": "Visit"}}, "[invoice] Visit"),
    (
        {
            "rich_message": {
                "blocks": [
                    {"type": "paragraph", "text": ["I feel ", {"type": "bold", "text": "dizzy"}, " 🤒"]},
                    {
                        "type": "list",
                        "items": [{"label": "1.", "blocks": [{"type": "paragraph", "text": "since noon"}]}],
                    },
                    {"type": "divider"},
                ]
            }
        },
        "[rich_message] I feel dizzy 🤒\nsince noon",
    ),
    ({"hologram": FILE}, "[hologram]"),
    ({"hologram": {"x": 1}, "caption": "look"}, "[unknown] look"),
]
NOT_SERVICE = {kind for content, _ in SENT_BY_PEOPLE for kind in content} | {"text", "any", "unknown"}
SERVICE = [*sorted({kind.value for kind in ContentType} - NOT_SERVICE), "a_kind_of_tomorrow"]


@pytest.fixture
def question(ana: Patient) -> Message:
    """Ask Ana, who has another hour to answer."""
    return a_question(ana, answer_within=dt.timedelta(hours=1), answer_by=NOW + dt.timedelta(hours=1))


def waits(question: Message) -> bool:
    question.refresh_from_db()
    return question.answer_by is not None and question.answered_at is None


@pytest.mark.parametrize(
    ("content", "told"), SENT_BY_PEOPLE, ids=[told.partition("\n")[0] for _, told in SENT_BY_PEOPLE]
)
def test_staff_is_told_of_it_and_no_question_is_answered_by_it(
    bot: Bot, ana: Patient, question: Message, content: dict[str, object], told: str
) -> None:
    assert ana.telegram_id

    comes_in(bot, something_else(ana.telegram_id, **content, reply_to_message=our_message(ana.telegram_id, 77)))

    reply = Reply.objects.get()
    assert (reply.patient, reply.kind, reply.text, reply.message) == (ana, ReplyKind.OTHER, told, question)
    conversation = Conversation.objects.get()
    assert (conversation.standing, conversation.unread, conversation.last_reply) == (Standing.UNREAD, 1, reply)
    assert waits(question)


@pytest.mark.parametrize("kind", SERVICE)
@pytest.mark.parametrize("held", [{"x": 1}, True, [{"id": 1}]], ids=["object", "true", "list"])
def test_a_service_message_is_no_reply_and_ends_no_waiting(
    bot: Bot, ana: Patient, question: Message, kind: str, held: object
) -> None:
    assert ana.telegram_id

    comes_in(bot, something_else(ana.telegram_id, **{kind: held}))

    assert not Reply.objects.exists()
    assert not Conversation.objects.exists()
    assert not answers(bot)
    assert waits(question)


def test_an_edited_service_message_is_no_reply_either(bot: Bot, ana: Patient, question: Message) -> None:
    assert ana.telegram_id
    pinned = something_else(ana.telegram_id, pinned_message={"message_id": 77, "text": "STOP"})["message"]
    assert isinstance(pinned, dict)

    comes_in(bot, {"edited_message": pinned | {"edit_date": pinned["date"]}})

    assert not Reply.objects.exists()
    assert waits(question)
    ana.refresh_from_db()
    assert ana.consent == Consent.GIVEN


def test_a_service_message_reaches_no_staff_when_a_stranger_causes_it(bot: Bot) -> None:
    comes_in(bot, something_else(5_900_000_077, message_auto_delete_timer_changed={"message_auto_delete_time": 86_400}))

    assert not Reply.objects.exists()
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()


def test_a_pinned_stop_is_no_stop(bot: Bot, ana: Patient) -> None:
    assert ana.telegram_id
    pinned = our_message(ana.telegram_id, 77) | {"text": "STOP"}

    comes_in(bot, something_else(ana.telegram_id, pinned_message=pinned))

    ana.refresh_from_db()
    assert ana.consent == "given"


def test_a_text_answers_the_question_after_a_sticker_did_not(bot: Bot, ana: Patient, question: Message) -> None:
    assert ana.telegram_id
    comes_in(bot, something_else(ana.telegram_id, sticker=FILE | {"emoji": "👍"}))
    assert waits(question)

    comes_in(bot, a_text(ana.telegram_id, "Yes"))

    assert not waits(question)


@pytest.mark.parametrize(
    ("content", "urgent"),
    [
        ({"photo": [FILE], "caption": "chest pain, look"}, True),
        ({"rich_message": {"blocks": [{"type": "paragraph", "text": "chest pain"}]}}, True),
        ({"document": FILE | {"file_name": "chest pain.pdf"}}, False),
    ],
)
def test_words_for_urgent_help_are_the_patient_s_own(
    bot: Bot, ana: Patient, content: dict[str, object], urgent: bool
) -> None:
    Clinic.objects.update(urgent_words=["chest pain"], urgent_phone="112")
    assert ana.telegram_id

    comes_in(bot, something_else(ana.telegram_id, **content))

    assert (Conversation.objects.get().urgent_at is not None) is urgent


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(update=mutated("message", TEXT, "chat.id", "chat.type", "text", "from.is_bot"))
def test_no_odd_part_keeps_a_patient_s_text_from_staff(bot: Bot, update: dict[str, object]) -> None:
    comes_in(bot, {name: part for name, part in update.items() if name != "update_id"})

    newest = Reply.objects.latest("update_id")
    assert (newest.kind, newest.text, newest.telegram_id) == (ReplyKind.TEXT, TEXT["text"], 42)
    assert Conversation.objects.get().last_reply == newest
