"""The listener's words: complete in every language, and fit to be sent."""

import pytest

from companion.listener.urgent import asks_for_help
from companion.listener.words import STOP_WORDS, WORDS, Word, is_stop, say
from companion.schedules.text import problems_of
from companion.web.patients import LANGUAGES


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_that_a_patient_may_have_has_words_to_opt_out_with(language: str) -> None:
    words = STOP_WORDS[language]

    assert words
    assert all(is_stop(form, [language]) for word in words for form in (word, f" {word.upper()}! ", f"“{word}.”"))
    assert is_stop("Stop", [language])


@pytest.mark.parametrize(
    ("language", "text"),
    [("fr", "ARRET"), ("ro", "opreste"), ("vi", "dung lai"), ("tr", "DUR"), ("zh", "停止。"), ("pt-BR", "Parar")],
)
def test_accents_and_case_don_t_matter_to_a_stop(language: str, text: str) -> None:
    assert is_stop(text, [language])


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
