"""The table from an answer to its Outcome, row by row and with answers that no table foresees."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.telegram.outcomes import RETRY_AFTER_MAX, Answer, Kind, Outcome, answer_of, outcome_of_answer

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def refusal(error_code: int, description: str, **parameters: object) -> bytes:
    fields: dict[str, object] = {"ok": False, "error_code": error_code, "description": description}
    return json.dumps(fields | ({"parameters": parameters} if parameters else {})).encode()


def test_a_yes_is_sent_with_its_message_id() -> None:
    body = b'{"ok":true,"result":{"message_id":42,"text":"x"}}'

    outcome = outcome_of_answer(200, body, "Mon, 01 Dec 2025 09:00:00 GMT")

    assert outcome == Outcome(Kind.SENT, message_id=42, server_date=datetime(2025, 12, 1, 9, tzinfo=UTC))


def test_a_yes_stays_a_yes_where_the_echoed_text_holds_half_a_surrogate_pair() -> None:
    outcome = outcome_of_answer(200, rb'{"ok":true,"result":{"message_id":42,"text":"\ud83d"}}')

    assert (outcome.kind, outcome.message_id) == (Kind.SENT, 42)


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (403, "Forbidden: user is deactivated", "deactivated"),
        (403, "Forbidden: bot can't initiate conversation with a user", "chat_not_found"),
        (403, "Forbidden: bots can't send messages to bots", "chat_not_found"),
        (403, "Forbidden: bot was kicked from the group chat", "chat_not_found"),
        (403, "Forbidden: bot is not a member of the channel chat", "chat_not_found"),
        (403, "FORBIDDEN: BOT WAS BLOCKED BY THE USER", "blocked"),
        (403, "Forbidden: something new", "rejected"),
        (400, "Bad Request: chat not found", "chat_not_found"),
        (400, "Bad Request: PEER_ID_INVALID", "chat_not_found"),
        (400, "Bad Request: user not found", "chat_not_found"),
        (400, "Bad Request: chat_id is empty", "chat_not_found"),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", "chat_not_found"),
        (400, "Bad Request: message text is empty", "rejected"),
        (400, "Bad Request: message is too long", "rejected"),
        (400, "Bad Request: can't parse entities: Unsupported start tag", "rejected"),
        (400, "Bad Request: wrong file identifier/HTTP URL specified", "rejected"),
        (400, "Bad Request: BUTTON_DATA_INVALID", "rejected"),
        (400, "", "rejected"),
        (406, "Not Acceptable: something new", "rejected"),
        (413, "Request Entity Too Large", "rejected"),
    ],
)
def test_a_refusal_that_would_come_again_is_permanent_with_its_reason(code: int, description: str, reason: str) -> None:
    outcome = outcome_of_answer(code, refusal(code, description))

    assert outcome == Outcome(Kind.PERMANENT, reason=reason, error_code=code, description=description)


def test_a_group_that_moved_is_no_chat_of_ours() -> None:
    outcome = outcome_of_answer(400, refusal(400, "Bad Request: moved", migrate_to_chat_id=-100123))

    assert outcome.reason == "chat_not_found"


@pytest.mark.parametrize("code", [401, 404])
def test_a_refused_token_is_unauthorized(code: int) -> None:
    assert outcome_of_answer(code, refusal(code, "Unauthorized")).kind is Kind.UNAUTHORIZED


@pytest.mark.parametrize("code", [408, 409, 500, 502, 503, 504, 520])
def test_a_server_out_of_order_is_transient(code: int) -> None:
    assert outcome_of_answer(code, refusal(code, "Internal Server Error")).kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    ("retry_after", "waits"),
    [
        (7, 7.0),
        (0.5, 0.5),
        (10**9, RETRY_AFTER_MAX),
        (10**400, RETRY_AFTER_MAX),
        (float("inf"), RETRY_AFTER_MAX),
        (float("nan"), None),
        (0, None),
        (-3, None),
        ("7", None),
        (True, None),
        ([7], None),
    ],
)
def test_too_many_waits_as_long_as_telegram_asks_but_never_for_ever(retry_after: object, waits: float | None) -> None:
    outcome = outcome_of_answer(429, refusal(429, "Too Many Requests", retry_after=retry_after))

    assert (outcome.kind, outcome.retry_after) == (Kind.TOO_MANY, waits)


def test_too_many_without_parameters_is_read_from_its_words() -> None:
    assert outcome_of_answer(429, refusal(429, "Too Many Requests: retry after 12")).retry_after == 12.0


def test_too_many_that_says_no_time_has_none() -> None:
    assert outcome_of_answer(429, b'{"ok":false,"error_code":429,"parameters":[]}').retry_after is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Kind.UNKNOWN),
        (204, Kind.UNKNOWN),
        (301, Kind.TRANSIENT),
        (400, Kind.TRANSIENT),
        (401, Kind.UNAUTHORIZED),
        (403, Kind.TRANSIENT),
        (404, Kind.UNAUTHORIZED),
        (407, Kind.TRANSIENT),
        (429, Kind.TOO_MANY),
        (500, Kind.UNKNOWN),
        (502, Kind.UNKNOWN),
        (504, Kind.UNKNOWN),
    ],
)
@pytest.mark.parametrize("body", [HTML, b"", b'{"ok":tru', b"[1]", b'"ok"', b"null", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_not_the_bot_apis_goes_by_its_status(status: int, kind: Kind, body: bytes) -> None:
    outcome = outcome_of_answer(status, body)

    assert (outcome.kind, outcome.error_code, outcome.reason) == (kind, status, None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"ok":true}',
        b'{"ok":true,"result":true}',
        b'{"ok":true,"result":{}}',
        b'{"ok":true,"result":{"message_id":"42"}}',
        b'{"ok":true,"result":{"message_id":true}}',
        b'{"ok":true,"result":{"message_id":0}}',
        b'{"ok":true,"result":{"message_id":99999999999999999999}}',
        b'{"ok":"true","result":{"message_id":42}}',
        b'{"ok":1,"result":{"message_id":42}}',
        b'{"ok":false}',
        b'{"ok":false,"error_code":"403","description":"Forbidden: bot was blocked by the user"}',
        b'{"ok":false,"error_code":true}',
        b'{"ok":false,"error_code":200}',
        b'{"result":{"message_id":42}}',
    ],
)
def test_a_200_that_says_neither_yes_nor_no_is_unknown(body: bytes) -> None:
    assert outcome_of_answer(200, body).kind is Kind.UNKNOWN


def test_a_yes_under_a_servers_error_is_not_believed() -> None:
    assert outcome_of_answer(502, b'{"ok":true,"result":{"message_id":42}}').kind is Kind.UNKNOWN


def test_a_description_of_the_wrong_type_is_left_out() -> None:
    outcome = outcome_of_answer(400, b'{"ok":false,"error_code":400,"description":{"a":1}}')

    assert (outcome.reason, outcome.description) == ("rejected", "")


def test_telegrams_words_are_not_in_what_is_printed() -> None:
    outcome = outcome_of_answer(400, refusal(400, "Bad Request: can't parse entities in your HIV test"))

    assert "HIV" not in repr(outcome)


def test_any_other_method_answers_with_its_result() -> None:
    assert answer_of(200, b'{"ok":true,"result":[1]}') == Answer([1])


@pytest.mark.parametrize(
    "date", ["", "soon", "Mon, 99 Dec 2025", "Fri, 31 Dec 9999 23:59:59 -1400", "Mon, 01 Dec 99999 09:00:00 GMT"]
)
def test_a_date_that_cannot_be_read_is_none(date: str) -> None:
    assert outcome_of_answer(200, b"", date).server_date is None


@given(st.integers(100, 999), st.binary() | st.from_regex(r'\{"ok":(true|false),"result":\{"message_id":[0-9]+\}\}'))
def test_only_a_readable_yes_is_ever_sent(status: int, body: bytes | str) -> None:
    raw = body if isinstance(body, bytes) else body.encode()

    outcome = outcome_of_answer(status, raw)

    if outcome.kind is Kind.SENT:
        assert json.loads(raw)["result"]["message_id"] == outcome.message_id
        assert 200 <= status <= 299
