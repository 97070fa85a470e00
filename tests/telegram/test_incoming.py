"""Updates are read leniently, from the bytes of an answer: an odd part costs no other part."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiogram.types import Update
from hypothesis import given
from hypothesis import strategies as st

from companion.telegram.incoming import Incoming, MembershipIn, MessageIn, TapIn, updates_of
from companion.telegram.outcomes import Answer, answer_of

Json = dict[str, Any]  # JSON of a server: the tests put anything into it
Path = tuple[str | int, ...]

ANA: Json = {"id": 42, "is_bot": False, "first_name": "Ana", "last_name": "Silva", "language_code": "pt-BR"}
CHAT: Json = {"id": 42, "type": "private", "first_name": "Ana", "username": "ana"}
PHOTO: Json = {"file_id": "AgAC", "file_unique_id": "AQ", "width": 90, "height": 60, "file_size": 1200}
OURS: Json = {
    "message_id": 8,
    "date": 1764579000,
    "chat": CHAT,
    "from": {"id": 700, "is_bot": True, "first_name": "Linden", "username": "linden_bot"},
    "text": "Taken your pill?",
    "reply_markup": {"inline_keyboard": [[{"text": "Taken", "callback_data": "answer:1:0"}]]},
}
BASE: Json = {"message_id": 9, "date": 1764579600, "chat": CHAT, "from": ANA}
TEXT: Json = BASE | {
    "text": "I feel dizzy since 9:00, see @ana",
    "entities": [{"type": "mention", "offset": 29, "length": 4}],
    "forward_origin": {"type": "hidden_user", "sender_user_name": "Maria", "date": 1764579000},
    "reply_to_message": OURS,
    "quote": {"text": "your pill", "position": 6},
    "link_preview_options": {"is_disabled": True},
    "via_bot": {"id": 701, "is_bot": True, "first_name": "Via"},
    "effect_id": "5",
}
CAPTION: Json = BASE | {
    "photo": [PHOTO, PHOTO | {"file_id": "AgAD", "width": 900, "height": 600}],
    "caption": "my arm",
    "caption_entities": [{"type": "bold", "offset": 0, "length": 2}],
    "media_group_id": "77",
    "has_media_spoiler": True,
}
TAP: Json = {"id": "4711", "from": ANA, "chat_instance": "1", "data": "answer:1:0", "message": OURS}
BLOCK: Json = {
    "chat": CHAT,
    "from": ANA,
    "date": 1764579600,
    "old_chat_member": {"user": OURS["from"], "status": "member"},
    "new_chat_member": {"user": OURS["from"], "status": "kicked", "until_date": 0},
}

GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "text", "x"]), inner),
    max_leaves=6,
)


def paths_in(value: object, path: Path = ()) -> list[Path]:
    """Return every path into a value, the empty path first."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for step, inner in steps for deeper in paths_in(inner, (*path, step)))]


@st.composite
def mutated(draw: st.DrawFn, kind: str, content: Json, *kept: str) -> Json:
    """Delete, retype or fill with garbage a few optional parts of an update, but not those in `kept`."""
    # Don't use deepcopy: the message and the message that it answers would share one chat.
    update: Json = {"update_id": 11, kind: json.loads(json.dumps(content))}
    needed = [(kind, *path.split(".")) for path in kept]
    untouched = {path[:length] for path in needed for length in range(len(path) + 1)} | {("update_id",)}
    for _ in range(draw(st.integers(1, 4))):
        optional = [path for path in paths_in(update) if path not in untouched]
        if not optional:
            break
        *way, last = draw(st.sampled_from(optional))
        held: Any = update
        for step in way:
            held = held[step]
        if draw(st.booleans()):
            del held[last]
        else:
            held[last] = draw(GARBAGE)
    if draw(st.booleans()):
        update[kind][draw(st.sampled_from(["hologram", "new_kind", "story_origin"]))] = draw(GARBAGE)
    return update


def on_the_wire(updates: list[Json]) -> bytes:
    return json.dumps({"ok": True, "result": updates}).encode()


def read(body: bytes) -> list[Incoming]:
    answer = answer_of(200, body)
    assert isinstance(answer, Answer)
    return updates_of(answer.result)


def only(update: Json) -> Incoming:
    [incoming] = read(on_the_wire([update]))
    return incoming


@pytest.mark.parametrize(
    ("kind", "content"), [("message", TEXT), ("message", CAPTION), ("callback_query", TAP), ("my_chat_member", BLOCK)]
)
def test_the_updates_of_these_tests_are_valid_for_aiogram(kind: str, content: Json) -> None:
    Update.model_validate({"update_id": 11, kind: content})


@given(mutated("message", TEXT, "chat.id", "chat.type", "text", "from.is_bot"))
def test_no_odd_part_costs_a_text(update: Json) -> None:
    incoming = only(update)

    assert incoming.update_id == 11
    assert isinstance(incoming.event, MessageIn)
    assert (incoming.event.text, incoming.event.sender.telegram_id) == (TEXT["text"], 42)


@given(mutated("message", CAPTION, "chat.id", "chat.type", "caption", "from.is_bot"))
def test_no_odd_part_costs_a_caption(update: Json) -> None:
    event = only(update).event

    assert isinstance(event, MessageIn)
    assert event.text or event.content is not None
    assert event.text or (event.content and event.content.caption == "my arm")


@given(mutated("callback_query", TAP, "data", "id", "message.chat.id", "message.chat.type"))
def test_no_odd_part_costs_a_tap(update: Json) -> None:
    event = only(update).event

    assert isinstance(event, TapIn)
    assert (event.id, event.data, event.sender.telegram_id) == ("4711", "answer:1:0", 42)


@given(mutated("my_chat_member", BLOCK, "chat.id", "chat.type", "new_chat_member.status"))
def test_no_odd_part_costs_a_block(update: Json) -> None:
    event = only(update).event

    assert isinstance(event, MembershipIn)
    assert (event.status, event.sender.telegram_id) == ("kicked", 42)


@given(st.lists(GARBAGE, max_size=4), mutated("message", TEXT, "chat.id", "chat.type", "text", "from.is_bot"))
def test_nothing_of_a_batch_is_lost_by_garbage_beside_it(garbage: list[Any], update: Json) -> None:
    before = [{"update_id": 10, "message": value} for value in garbage]

    texts = [
        incoming.event.text
        for incoming in read(on_the_wire([*garbage, *before, update]))
        if isinstance(incoming.event, MessageIn)
    ]

    assert texts[-1] == TEXT["text"]


@pytest.mark.parametrize(
    "odd",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 5_000 + b'"}]"' + b"}" * 5_000,
        b"9" * 5_000,
        b"-1e999",
        b'"\\ud83d"',
        b'"\xff\xfe"',
        b'"a line\nthat ends"',
        b'"\\\\"',
        b'"\\"}]["',
    ],
    ids=["nesting", "nested objects", "digits", "infinity", "half a pair", "no UTF-8", "newline", "backslash", "quote"],
)
def test_an_odd_value_costs_nothing_of_the_batch(odd: bytes) -> None:
    first = b'{"update_id":10,"message":{"chat":{"id":42,"type":"private"},"text":"one","entities":%b}}' % odd
    body = b'{"ok":true,"result":[%b,%b]}' % (first, json.dumps({"update_id": 11, "message": TEXT}).encode())

    texts = [incoming.event.text for incoming in read(body) if isinstance(incoming.event, MessageIn)]

    assert texts == ["one", TEXT["text"]]


def test_a_byte_order_mark_before_the_answer_costs_no_text() -> None:
    body = on_the_wire([{"update_id": 11, "message": TEXT}])

    texts = [incoming.event.text for incoming in read(b"\xef\xbb\xbf" + body) if isinstance(incoming.event, MessageIn)]

    assert texts == [TEXT["text"]]


@pytest.mark.parametrize("number", [True, -1, 2**62, 10**30, "12", 1.5, None])
def test_an_update_with_an_impossible_number_is_left_out(number: object) -> None:
    updates = read(on_the_wire([{"update_id": number}, {"update_id": 11}]))

    assert [incoming.update_id for incoming in updates] == [11]


def without(content: Json, *names: str) -> Json:
    return {name: value for name, value in content.items() if name not in names}


@pytest.mark.parametrize(
    ("message", "chat"),
    [
        (TEXT | {"chat": {"id": -100123, "type": "supergroup", "title": "X"}}, None),
        (TEXT | {"chat": {"id": 42, "type": "channel"}}, None),
        (TEXT | {"chat": {"id": -5}}, None),
        (TEXT | {"from": ANA | {"is_bot": True}}, None),
        (TEXT | {"chat": {"id": 42}}, 42),
        (TEXT | {"chat": "?"}, 42),
        (without(TEXT, "from"), 42),
        (without(TEXT, "chat", "from"), None),
    ],
)
def test_a_private_chat_is_recognised_by_any_part_that_is_left(message: Json, chat: int | None) -> None:
    event = only({"update_id": 11, "message": message}).event

    assert (event.sender.telegram_id if event else None) == chat


def test_a_tap_counts_also_if_telegram_no_longer_shows_its_message() -> None:
    event = only({"update_id": 11, "callback_query": without(TAP, "message")}).event

    assert isinstance(event, TapIn)
    assert (event.sender.telegram_id, event.message_id, event.label) == (42, None, "answer:1:0")


def retyped(change: Callable[[Json], object]) -> Json:
    message = copy.deepcopy(TEXT)
    change(message)
    return {"update_id": 11, "message": message}


def test_the_log_gets_the_names_of_odd_parts_and_no_content() -> None:
    incoming = only(retyped(lambda message: message.update({"date": "yesterday", "reply_to_message": ["secret"]})))

    assert incoming.skipped == ("message.reply_to_message", "message.date")
    assert "secret" not in repr(incoming)
    assert "dizzy" not in repr(incoming)


def test_the_log_gets_the_kind_of_an_unknown_update() -> None:
    assert only({"update_id": 11, "message": BASE | {"hologram": {"x": 1}}}).skipped == ("message.hologram",)
    assert only({"update_id": 11, "shipping_query": {"id": "secret"}}).skipped == ("shipping_query",)


@pytest.mark.parametrize("date", [0, -5, 2**40, 2**62, 10**30])
def test_an_impossible_date_costs_nothing(date: int) -> None:
    event = only({"update_id": 11, "message": TEXT | {"date": date}}).event

    assert isinstance(event, MessageIn)
    assert event.text == TEXT["text"]
