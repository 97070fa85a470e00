"""The listener's words: complete in every language, and fit to be sent."""

import pytest

from companion.listener.urgent import asks_for_help
from companion.listener.words import WORDS, Word, say
from companion.schedules.text import problems_of


@pytest.mark.parametrize("language", WORDS)
def test_every_language_has_every_word(language: str) -> None:
    assert set(WORDS[language]) == set(Word)


@pytest.mark.parametrize("language", WORDS)
def test_every_text_can_be_sent_as_it_is(language: str) -> None:
    assert [problem for text in WORDS[language].values() for problem in problems_of(text)] == []


def test_a_language_that_we_don_t_speak_is_answered_in_english() -> None:
    assert say(Word.AGREE_BUTTON, "sw") == "I agree"


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("请救命啊", "救命", True),
        ("मुझे मदद चाहिए", "मदद", True),
        ("मददगार", "मदद", False),
        ("ช่วยด้วยครับ", "ช่วยด้วย", True),
        ("도와주세요!", "도와", True),
        ("I can’t breathe", "cant breathe", True),
        ("ÉMERGENCE", "emergence", True),
        ("helpless", "help", False),
        ("", "help", False),
    ],
)
def test_words_for_urgent_help_are_found_in_every_script(text: str, word: str, found: bool) -> None:
    assert asks_for_help(text, [word]) is found
