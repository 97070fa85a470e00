"""The listener's words: complete in every language, and fit to be sent."""

import pytest

from companion.listener.words import STOP_WORDS, WORDS, Word, is_stop, say
from companion.schedules.text import problems_of


@pytest.mark.parametrize("language", WORDS)
def test_every_language_has_every_word(language: str) -> None:
    assert set(WORDS[language]) == set(Word)
    assert language in STOP_WORDS


@pytest.mark.parametrize("language", WORDS)
def test_every_text_can_be_sent_as_it_is(language: str) -> None:
    assert [problem for text in WORDS[language].values() for problem in problems_of(text)] == []


@pytest.mark.parametrize("language", WORDS)
def test_the_word_that_a_text_tells_to_send_is_understood(language: str) -> None:
    told = [word for text in WORDS[language].values() for word in text.split() if word.strip(".").isupper()]
    words = {word.strip(".") for word in told if len(word.strip(".")) > 1}

    assert words
    assert all(is_stop(word, [language]) for word in words)


def test_a_language_that_we_don_t_speak_is_answered_in_english() -> None:
    assert say(Word.AGREE_BUTTON, "sw") == "I agree"
