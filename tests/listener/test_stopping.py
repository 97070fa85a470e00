"""Words that opt out: STOP as people write it, in every language that we know, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.listener.stop_words import STOP_WORDS
from companion.listener.stopping import Verdict, verdict
from companion.listener.words import WORDS
from companion.web.patients.form import LANGUAGES
from tests.listener.ordinary_replies import ORDINARY, ORDINARY_ELSEWHERE

STOP, STOP_AND_STAFF, ASK, ORDINARY_WORDS = Verdict.STOP, Verdict.STOP_AND_STAFF, Verdict.ASK, Verdict.WORDS


def taken(text: str, *languages: str, asked: bool = False) -> Verdict:
    return verdict(text, languages or ("en",), question_open=asked)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "STOP"),
        ("en", " Stop. "),
        ("es", "¡STOP!"),
        ("en", "stop…"),
        ("en", "*STOP*"),
        ("en", "_stop_"),
        ("en", "[stop]"),
        ("en", "(Stop)"),
        ("en", "-stop-"),
        ("en", "“Stop”"),
        ("fr", "« STOP »"),
        ("de", "„Stopp“"),
        ("zh", "「停」"),
        ("zh", "停止。"),
        ("zh", "退订！"),
        ("hi", "रोकें।"),
        ("hi", "बंद करो।"),
        ("hi", "स्टॉप"),
        ("ar", "توقف؛"),
        ("ar", "تَوَقَّفْ"),
        ("ar", "تـــوقف"),
        ("ar", "أوقِف"),
        ("ar", "\u200fقف\u200f"),
        ("en", "\u200eSTOP\u200e"),
        ("en", "\ufeffSTOP"),
        ("en", "ST\u200bOP"),
        ("en", "S\u00adTOP"),
        ("en", "STOP\u200d"),
        ("en", "\u00a0STOP\u3000"),
        ("en", "STOP\ufe0f"),
        ("en", "🛑 STOP 🛑"),
        ("en", "STOP👋🏽"),
        ("en", "🙅🏿\u200d♀️ stop"),
        ("en", "1️⃣ STOP"),
        ("en", "#️⃣stop"),
        ("es", "🇪🇸 stop"),
        ("en", "stop ✋🏻❗️"),
        ("en", "ℹ️ STOP ™️"),
        ("en", "ＳＴＯＰ"),
        ("en", "𝐒𝐓𝐎𝐏"),
        ("en", "Ⓢⓣⓞⓟ"),
        ("en", "S.T.O.P."),
        ("en", "s t o p"),
        ("en", "STOOOOP"),
        ("en", "STOP STOP stop!!!"),
        ("en", "stop, stop"),
        ("en", "STOPSTOP"),
        ("en", "stop\nstop"),
        ("zh", "停停停"),
        ("en", "stop unsubscribe"),
        ("en", "/stop"),
        ("en", "/STOP@linden_bot"),
        ("en", "/stop!!!"),
        ("en", "\u200e/stop 🙏"),
        ("en", "／ｓｔｏｐ"),
        ("en", "stopp"),
        ("en", "parar"),
        ("de", "arrêt"),
        ("ru", "arret"),
        ("en", "стоп"),
        ("uk", "СТОП."),
        ("en", "відписатися"),
        ("en", "توقف"),
        ("ar", "stop"),
        ("zh", "Stop"),
        ("pl", "zatrzymaj!"),
        ("ro", "opreste"),
        ("ro", "opriţi"),
        ("nl", "Afmelden"),
        ("it", "disiscrivimi"),
        ("en", "sitisha"),
        ("en", "DURDURUN"),
        ("vi", "dung lai"),
        ("en", "dừng"),
        ("en", "D\u01b0\u0300ng l\u1ea1i"),
        ("sw", "Acha!"),
        ("tr", "DUR"),
        ("de", "Halt!"),
        ("es-MX", "ALTO"),
        ("pt-BR", "Sair"),
        ("it", "Basta!!!"),
        ("en", "unsubscribe"),
        ("en", "ＳＴＯＰ！"),
        ("en", "𝓢𝓽𝓸𝓹"),
        ("en", "🆂🆃🅾🅿"),
        ("en", "🅢🅣🅞🅟"),
        ("en", "🅂🅃🄾🄿 🙏"),
        ("en", "S̶T̶O̶P̶"),
        ("en", "S T O P !"),
        ("en", "\u202eSTOP\u202c"),
        ("en", "\u2067STOP\u2069 🙏🏽"),
        ("en", "> stop"),
        ("tr", "DURDUR"),
        ("tr", "unsubscrıbe"),
        ("sw", "SİTİSHA"),
        ("el", "ΣΤΟΠ!"),
        ("he", "סטופ."),
        ("ja", "ストップ。"),
        ("ja", "ｽﾄｯﾌﾟ"),
        ("ko", "스톱"),
        ("ko", "수신거부"),
        ("th", "สต็อป"),
    ],
)
def test_a_stop_is_one_however_it_is_written(language: str, text: str) -> None:
    assert taken(text, language) is STOP


@pytest.mark.parametrize("language", [*WORDS, *LANGUAGES, *STOP_WORDS])
def test_every_language_that_a_patient_may_have_has_words_to_opt_out_with(language: str) -> None:
    assert STOP_WORDS[language]
    for word in STOP_WORDS[language]:
        assert (
            taken(word, language) is taken(f"“{word.upper()}.”", language) is taken(f"{word} {word}", language) is STOP
        )


@pytest.mark.parametrize("language", WORDS)
def test_the_word_that_a_text_tells_to_send_is_a_stop(language: str) -> None:
    told = {word.strip(".") for text in WORDS[language].values() for word in text.split() if word.strip(".").isupper()}
    words = {word for word in told if len(word) > 1}

    assert words
    assert all(taken(word, language) is STOP for word in words)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Stop. Thank you", STOP_AND_STAFF),
        ("en", "Stop! I moved away", STOP_AND_STAFF),
        ("en", "STOP\nthanks for everything", STOP_AND_STAFF),
        ("en", "“Stop.” Do not write again.", STOP_AND_STAFF),
        ("es", "¡Alto! Gracias", STOP_AND_STAFF),
        ("de", "Halt. Ich bin umgezogen", STOP_AND_STAFF),
        ("zh", "停止。谢谢", STOP_AND_STAFF),
        ("hi", "रोकें। धन्यवाद", STOP_AND_STAFF),
        ("ar", "توقف. شكرا", STOP_AND_STAFF),
        ("en", "/stop thank you", STOP_AND_STAFF),
        ("en", "/stop@linden_bot when is my visit?", STOP_AND_STAFF),
        ("en", "STOP?", ASK),
        ("es", "¿Parar?", ASK),
        ("en", "STOP ❓", ASK),
        ("en", "Stop. When is my visit?", ASK),
        ("en", "Stop. When is my visit", ASK),
        ("en", "Stop. Thanks. Can I call you", ASK),
        ("de", "Stopp. Wann ist mein Termin", ASK),
        ("ar", "توقف. متى موعدي؟", ASK),
        ("zh", "停止。我什么时候去", ASK),
        ("zh", "停止。下次几点？", ASK),
        ("hi", "रोकें। मेरी अगली मुलाकात कब है", ASK),
        ("en", "Stop. Πότε είναι το ραντεβού μου;", ASK),
        ("en", "Stop. Πότε είναι το ραντεβού μου\u037e", ASK),
        ("tr", "Durdur. Yarın gelmeli miyim？", ASK),
        ("ru", "Стоп. Когда приём", ASK),
        ("en", "Stop, thank you", ORDINARY_WORDS),
        ("en", "Thank you. Stop.", ORDINARY_WORDS),
        ("en", "/stopwatch", ORDINARY_WORDS),
        ("en", "", ORDINARY_WORDS),
        ("en", "stop" * 100 + " just kidding", ORDINARY_WORDS),
    ],
)
def test_a_stop_with_more_behind_it_is_read_by_staff_and_asked_about_where_it_asks(
    language: str, text: str, expected: Verdict
) -> None:
    assert taken(text, language) is expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "🛑"),
        ("en", "🛑🛑🛑 !!"),
        ("de", "🛑\ufe0f🙏🏽"),
        ("en", "⛔️"),
        ("en", "please stop"),
        ("en", "Stop please."),
        ("en", "PLEEEASE STOOOP!!!"),
        ("en", "Stop, pls 🙏"),
        ("en", "please stop stop please"),
        ("en", "Please unsubscribe"),
        ("en", "Please stop. I moved away"),
        ("en", "Please. Stop."),
        ("de", "bitte stopp"),
        ("de", "Stopp bitte?"),
        ("en", "Bitte abmelden!"),
        ("es", "Por favor, alto"),
        ("pt", "por favor pare"),
        ("en", "POR FAVOR PARE"),
        ("fr", "Arrêtez, s’il vous plaît"),
        ("fr", "stop s'il te plait"),
        ("it", "basta per favore"),
        ("pl", "Prosze, stop"),
        ("ro", "vă rog opriți"),
        ("ru", "Стоп, пожалуйста"),
        ("uk", "будь ласка, зупинити"),
        ("tr", "lütfen durdur"),
        ("sw", "tafadhali acha"),
        ("vi", "vui lòng dừng lại"),
        ("zh", "请停止"),
        ("hi", "कृपया बंद करें"),
        ("ar", "رجاء توقف"),
        ("el", "στοπ παρακαλώ"),
    ],
)
@pytest.mark.parametrize("asked", [True, False])
def test_a_stop_sign_alone_and_a_polite_stop_are_asked_about(language: str, text: str, asked: bool) -> None:
    assert taken(text, language, asked=asked) is ASK


@pytest.mark.parametrize(
    "text",
    [
        "SТOP",  # a Cyrillic Т
        "STОР!",  # Cyrillic О and Р
        "sτoρ",  # Greek tau and rho
        "ΣTOP",  # a Greek sigma
        "/stоp",  # a Cyrillic о
        "unsubsсribe",  # a Cyrillic с
        "CTOП",  # a Latin C, T and O
        "CTOΠ",  # a Latin C, T and O, and a Greek pi
        "STOП",  # a Cyrillic П
        "ΣΤOΠ",  # a Latin O
        "STОP stop",  # one of two words mixes alphabets
    ],
)
def test_a_stop_with_letters_of_another_alphabet_that_look_alike_is_a_stop(text: str) -> None:
    assert taken(text) is STOP


@pytest.mark.parametrize("text", ["сок", "СОР", "топ", "ρο", "STOПKA", "5 мг и 10mg", "Vitamin-С"])
def test_letters_that_look_alike_make_no_stop_of_other_words(text: str) -> None:
    assert taken(text) is ORDINARY_WORDS


@pytest.mark.parametrize(("language", "word"), [("es", "baja"), ("es", "Alto."), ("tr", "dur"), ("de", "Halt"),
                                                ("it", "basta"), ("sw", "acha"), ("pt", "pare"), ("pt", "SAIR"),
                                                ("vi", "dung"), ("es", "Baja. Gracias")])  # fmt: skip
def test_a_word_that_is_ordinary_speech_elsewhere_is_asked_about_where_it_may_be_an_answer(
    language: str, word: str
) -> None:
    assert taken(word, language) in (STOP, STOP_AND_STAFF)
    assert taken(word, "en", language) in (STOP, STOP_AND_STAFF)
    assert taken(word, language, asked=True) is ASK


@pytest.mark.parametrize("word", ["STOP", "stopp", "arrêt", "стоп", "停止", "dừng", "/stop"])
def test_a_word_that_is_never_ordinary_speech_is_a_stop_also_as_an_answer(word: str) -> None:
    assert taken(word, asked=True) is STOP


@pytest.mark.parametrize(("language", "word"), ORDINARY_ELSEWHERE)
@pytest.mark.parametrize("asked", [True, False])
def test_a_word_that_is_ordinary_speech_here_is_no_stop(language: str, word: str, asked: bool) -> None:
    assert taken(word, language, asked=asked) is ORDINARY_WORDS


_SENTENCES = [(language, sentence) for language, several in ORDINARY.items() for sentence in several]
# Without the slash, which would make a command of "Stop by at noon".
_DECORATION = st.text(
    st.one_of(
        st.sampled_from(
            "!?.…,;:-*_~()[]{}«»“”'\"¡¿。！？؟، \n\t\u200b\u200d\u200e\u200f\ufeff\ufe0f\u00a0🛑🙏👍🏽❗❓😀"
        ),
        st.characters(categories=["P", "S", "Z", "Cf"], exclude_characters="/／"),
    ),
    max_size=8,
)


def test_the_corpus_is_large_and_covers_every_language() -> None:
    assert len(_SENTENCES) > 150
    assert set(ORDINARY) == set(STOP_WORDS)


@given(
    st.sampled_from(_SENTENCES), _DECORATION, _DECORATION, st.booleans(), st.booleans(), st.sampled_from([*STOP_WORDS])
)
def test_no_ordinary_reply_is_taken_for_a_stop(
    said: tuple[str, str], before: str, behind: str, loud: bool, asked: bool, telegram: str
) -> None:
    language, sentence = said

    words = f"{before}{sentence.upper() if loud else sentence}{behind}"

    assert taken(words, language, telegram, asked=asked) is ORDINARY_WORDS


def test_a_long_message_of_stop_words_is_read_in_one_pass() -> None:
    assert taken("dur" * 1365 + "x", "tr") is ORDINARY_WORDS
    assert taken("dur " * 1024, "tr") is STOP
