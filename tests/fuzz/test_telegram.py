"""Answers of the Bot API: any bytes give an Outcome or updates, and never an error."""

import json
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from companion.telegram.incoming import Incoming, MessageIn, updates_of
from companion.telegram.outcomes import Answer, Kind, answer_of, outcome_of_answer, outcome_of_edit
from tests.fuzz.inputs import fuzzed, headers, json_with, texts
from tests.telegram.test_incoming import BLOCK, CAPTION, TAP, TEXT, Json, mutated

_NAMES: Final = ("ok", "result", "update_id", "message", "chat", "from", "id", "type", "text", "callback_query", "data")
_UPDATES: Final = st.one_of(
    mutated("message", TEXT, "date"),
    mutated("edited_message", CAPTION, "date"),
    mutated("callback_query", TAP, "id"),
    mutated("my_chat_member", BLOCK, "date"),
)
_ANSWERS: Final = st.fixed_dictionaries(
    {"ok": st.booleans() | json_with(*_NAMES)},
    optional={
        "result": json_with(*_NAMES),
        "error_code": st.integers() | texts,
        "description": texts,
        "parameters": json_with("retry_after", "migrate_to_chat_id"),
    },
)


def read(body: bytes) -> list[Incoming]:
    answer = answer_of(200, body)
    return updates_of(answer.result) if isinstance(answer, Answer) else []


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """The bytes of an answer with updates, some of them torn."""
    raw = json.dumps({"ok": True, "result": draw(st.lists(_UPDATES, max_size=2))}).encode()
    at = draw(st.integers(0, len(raw)))
    return raw if draw(st.booleans()) else raw[:at] + draw(st.binary(max_size=8)) + raw[at + draw(st.integers(0, 4)) :]


@fuzzed
@given(bodies() | st.binary(max_size=300))
def test_any_updates_are_read_in_order_and_into_what_can_be_stored(body: bytes) -> None:
    updates = read(body)

    assert updates == read(body)
    assert [one.update_id for one in updates] == sorted(one.update_id for one in updates)
    for one in updates:
        repr(one)
        if isinstance(one.event, MessageIn):
            one.event.text.encode()
            assert "\0" not in one.event.text


@fuzzed
@given(_UPDATES)
def test_an_update_is_read_alike_alone_and_beside_others(update: Json) -> None:
    alone = read(json.dumps({"ok": True, "result": [update]}).encode())

    assert read(json.dumps({"ok": True, "result": [{}, update, 1]}).encode()) == alone


@fuzzed
@given(st.integers(-1, 1000), _ANSWERS.map(lambda one: json.dumps(one).encode()) | st.binary(max_size=200), headers)
def test_any_answer_to_a_message_has_an_outcome(status: int, body: bytes, date: str) -> None:
    outcome = outcome_of_answer(status, body, date)

    assert outcome == outcome_of_answer(status, body, date)
    assert (outcome.kind is Kind.SENT) == (outcome.message_id is not None)
    assert outcome.retry_after is None or 0 < outcome.retry_after <= 86_400
    outcome_of_edit(status, body, date, 1)
