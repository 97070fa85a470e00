"""The Sandbox's refusals, in Telegram's words, and the rate at which a bot may write."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from companion.sandbox.html import NotHtml, plain_of_html
from companion.sandbox.rules import Refused, buttons_of, chat_id_of, check_may_write, check_rate, text_of, whole_number
from companion.telegram.outcomes import outcome_of_answer

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=number) for number in seconds]


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({"text": "1 < 2 & *not bold*"}, "1 < 2 & *not bold*"),
        ({"text": "  kept\nlines\ttoo  "}, "kept\nlines\ttoo"),
        ({"text": "a\x00b\r\nc"}, "a b\nc"),
        ({"text": "😀" * 2048}, "😀" * 2048),
        ({"text": "<b>Ana</b> &amp; <a href='x'>Bo</a> &#8364;&unknown;", "parse_mode": "HTML"}, "Ana & Bo €&unknown;"),
        ({"text": "<b>x</b>", "parse_mode": "None"}, "<b>x</b>"),
        ({"text": "<b>" + "x" * 4096 + "</b>", "parse_mode": "html"}, "x" * 4096),
    ],
)
def test_a_text_is_shown_as_telegram_shows_it(args: dict[str, str], shown: str) -> None:
    assert text_of(args) == shown


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "message text is empty"),
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "text must be non-empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "text must be non-empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "x" * 32769}, "text is too long"),
        ({"text": "\ud800"}, "strings must be encoded in UTF-8"),
        ({"text": "x", "parse_mode": "MarkdownV3"}, "unsupported parse_mode"),
        ({"text": "1 < 2", "parse_mode": "HTML"}, "can't parse entities: Unclosed start tag at byte offset 2"),
    ],
)
def test_a_text_that_telegram_would_refuse_is_refused(args: dict[str, str], words: str) -> None:
    with pytest.raises(Refused) as refused:
        text_of(args)

    assert (refused.value.error_code, refused.value.description) == (400, f"Bad Request: {words}")


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<x>a</x>", 'Unsupported start tag "x" at byte offset 0'),
        ("ä<x>", 'Unsupported start tag "x" at byte offset 2'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<b><i>a</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
    ],
)
def test_html_that_is_not_telegrams_is_refused(html: str, words: str) -> None:
    with pytest.raises(NotHtml) as problem:
        plain_of_html(html)

    assert str(problem.value) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "chat_id is empty"),
        ("@ana", "chat not found"),
        ("-100123", "chat not found"),
        ("0", "chat not found"),
        ("12.5", "chat not found"),
        ("ana", "chat not found"),
        (str(2**52), "chat not found"),
        ("9" * 400, "chat not found"),
        ("٣", "chat not found"),
    ],
)
def test_a_chat_that_cannot_be_a_persons_is_not_found(written: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        chat_id_of({"chat_id": written})

    assert refused.value.description == f"Bad Request: {words}"


def test_buttons_are_kept_as_they_were_sent() -> None:
    rows = [[{"text": "Yes", "callback_data": "y" * 64}, {"text": "Map", "url": "https://example.org/x"}]]

    assert buttons_of({"reply_markup": json.dumps({"inline_keyboard": [*rows, []]})}) == rows


def test_other_markup_has_no_buttons_to_tap() -> None:
    assert buttons_of({"reply_markup": '{"remove_keyboard":true}'}) == []


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("{", "can't parse reply keyboard markup JSON object"),
        ("[" * 100_000, "can't parse reply keyboard markup JSON object"),
        ("[]", "object expected as reply markup"),
        ({"inline_keyboard": {}}, 'field "inline_keyboard" must be of type Array'),
        ({"inline_keyboard": [{}]}, 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'),
        ({"inline_keyboard": [["x"]]}, "can't parse inline keyboard button: InlineKeyboardButton must be an Object"),
        ({"inline_keyboard": [[{}]]}, "can't parse inline keyboard button: Can't find field \"text\""),
        (
            {"inline_keyboard": [[{"text": 1}]]},
            'can\'t parse inline keyboard button: Field "text" must be of type String',
        ),
        (
            {"inline_keyboard": [[{"text": "x"}]]},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "y" * 65}]]}, "BUTTON_DATA_INVALID"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "ä" * 33}]]}, "BUTTON_DATA_INVALID"),
        ({"inline_keyboard": [[{"text": "x", "url": "not a url"}]]}, "BUTTON_URL_INVALID"),
        ({"inline_keyboard": [[{"text": " ", "callback_data": "y"}]]}, "inline keyboard button text must be non-empty"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "y"}] * 101]}, "reply markup is too long"),
    ],
    ids=range(14),
)
def test_buttons_that_telegram_would_refuse_are_refused(markup: object, words: str) -> None:
    written = markup if isinstance(markup, str) else json.dumps(markup)

    with pytest.raises(Refused) as refused:
        buttons_of({"reply_markup": written})

    assert refused.value.description == f"Bad Request: {words}"


@pytest.mark.parametrize(
    ("state", "reason"),
    [("not_started", "chat_not_found"), ("blocked", "blocked"), ("deactivated", "deactivated")],
)
def test_the_client_understands_the_refusal_of_each_state_of_a_phone(state: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check_may_write(state)

    body = json.dumps({"ok": False, "error_code": 403, "description": refused.value.description}).encode()
    assert outcome_of_answer(403, body).reason == reason


@pytest.mark.parametrize("state", ["normal", "slow", "unreachable"])
def test_a_bot_may_write_to_a_phone_in_any_other_state(state: str) -> None:
    check_may_write(state)


def test_thirty_at_once_pass_and_the_next_is_too_many() -> None:
    check_rate([NOW] * 29, [], NOW)

    with pytest.raises(Refused) as refused:
        check_rate([NOW] * 30, [], NOW)

    assert (refused.value.error_code, refused.value.retry_after) == (429, 1)
    assert refused.value.description == "Too Many Requests: retry after 1"


def test_thirty_a_second_pass_for_ever_even_if_the_network_is_uneven() -> None:
    evenly = [NOW - timedelta(seconds=n / 30) for n in range(1, 31)]
    delayed_first = [*evenly[:-1], evenly[-1] + timedelta(seconds=0.09)]

    check_rate(delayed_first, [], NOW)


def test_a_short_burst_to_one_chat_passes_and_the_next_waits_for_its_end() -> None:
    check_rate([], ago(0, 0, 0, 0), NOW)

    with pytest.raises(Refused) as refused:
        check_rate([], ago(0.5, 0.5, 0.5, 0.5, 1.2), NOW)

    assert refused.value.retry_after == 4


def test_one_a_second_to_one_chat_passes_for_ever() -> None:
    check_rate([], ago(0.8, 2, 3, 4, 5, 6), NOW)


@pytest.mark.parametrize(("written", "read"), [("7", 7), ("", 3), ("x", 3), ("-5", 0), ("99", 50), ("9" * 99, 3)])
def test_numbers_are_read_as_generously_as_telegram_reads_them(written: str, read: int) -> None:
    assert whole_number({"timeout": written}, "timeout", 3, 0, 50) == read
