"""Tables of the words with which patients opt out, of words for "please", and of words that make a question.

stopping.py uses them. To add a language, add an entry to STOP_WORDS. A test checks that each language that the form of
a patient offers has an entry.
"""

from collections.abc import Mapping
from typing import Final

STOP_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "en": frozenset({"stop", "stopall", "stop all", "unsubscribe", "opt out", "optout"}),
    "de": frozenset({"stop", "stopp", "halt", "abmelden"}),
    "es": frozenset({"stop", "alto", "parar", "baja"}),
    "pt": frozenset({"stop", "parar", "pare", "sair"}),
    # Languages in which we have no texts yet. A STOP in these languages is understood all the same.
    "ar": frozenset({"توقف", "أوقف", "قف", "ستوب"}),
    "fr": frozenset({"stop", "arrêt", "arrêter", "arrêtez", "désabonner"}),
    "hi": frozenset({"रोकें", "रोको", "बंद करें", "बंद करो", "स्टॉप"}),
    "it": frozenset({"stop", "basta", "fermare", "disiscrivimi"}),
    "nl": frozenset({"stop", "stoppen", "afmelden"}),
    "pl": frozenset({"stop", "wypisz", "zatrzymaj"}),
    "ro": frozenset({"stop", "opriți", "oprește", "dezabonare"}),
    "ru": frozenset({"стоп", "остановить", "отписаться"}),
    "sw": frozenset({"acha", "simama", "sitisha"}),
    "tr": frozenset({"dur", "durdur", "durdurun"}),
    "uk": frozenset({"стоп", "зупинити", "відписатися"}),
    "vi": frozenset({"dừng", "dừng lại", "ngừng", "ngưng"}),
    "zh": frozenset({"停", "停止", "退订", "退訂"}),
    # Other languages may be recorded, too: the word STOP in their scripts, or the word that phones use for it.
    "el": frozenset({"στοπ"}),
    "he": frozenset({"סטופ"}),
    "ja": frozenset({"ストップ", "配信停止"}),
    "ko": frozenset({"스톱", "수신거부"}),
    "th": frozenset({"สต็อป"}),
}
"""Case and accents don't matter. Words that could cancel a visit are left out."""

ORDINARY_ELSEWHERE: Final = frozenset(
    {
        "acha",  # "good" in Hindi, in Latin letters
        "alto",  # "high" in Portuguese and Italian, and in Spanish itself
        "baja",  # "low" in Spanish itself; "steel" in Indonesian
        "basta",  # "enough" in Spanish, Portuguese and German
        "dur",  # "hard" in French
        "halt",  # a particle in German itself
        "pare",  # "it seems" in Italian and Romanian
        "sair",  # "to go out" in Portuguese itself; "poet" in Turkish, without its cedilla
        "dung",  # without its accents: "to take" (a medicine) or a first name in Vietnamese itself
        "dung lai",  # without its accents: "to use again" in Vietnamese itself
    }
)
"""STOP words, written without accents, that have another meaning in some language."""

PLEASE_WORDS: Final[frozenset[str]] = frozenset(
    {"please", "pls", "plz", "kindly", "bitte", "por favor", "porfavor", "porfa", "por gentileza", "se faz favor"}
    | {"من فضلك", "رجاء", "رجاءً", "أرجوك", "لو سمحت", "s'il vous plaît", "s'il te plaît", "svp", "stp", "कृपया"}
    | {"per favore", "per piacere", "alstublieft", "alsjeblieft", "aub", "proszę", "vă rog", "te rog"}
    | {"пожалуйста", "будь ласка", "прошу", "tafadhali", "lütfen", "làm ơn", "vui lòng", "xin vui lòng"}
    | {"παρακαλώ", "בבקשה", "お願いします", "どうか", "제발", "กรุณา"}
)
"""Words for "please" in all languages together."""

PLEASE_SIGNS: Final = ("请", "請")
"""The Chinese "please", which has no space behind it."""

STOP_SIGNS: Final = ("🛑", "⛔")

LOOK_ALIKES: Final = (
    # Each entry has a Latin, a Greek and a Cyrillic letter; a dot stands for a letter that the alphabet doesn't have.
    *("aαа", "bβв", "c·с", "eεе", "hηн", "iιі", "j·ј", "kκк", "mμм", "nν·", "oοо", "pρр", "s·ѕ", "sσ·", "tτт"),
    *("xχх", "yυу", "zζ·", "·πп", "·γг", "·φф"),
)
"""Letters that look alike as small letters or as capitals."""

_VERBS: Final = ("can", "could", "do", "does", "did", "is", "are", "will", "would", "should", "may", "must")
_WHO: Final = ("i", "you", "we", "they", "he", "she", "it", "my", "the", "there", "this", "that")

QUESTION_OPENINGS: Final[frozenset[str]] = frozenset(
    # The pronoun is needed: "Do not write" and "Will be back" are no questions.
    {f"{verb} {who}" for verb in _VERBS for who in _WHO}
    | {"am i", "when", "what", "where", "why", "who", "how", "which"}
    | {"wann", "was ist", "was muss", "was soll", "wo", "warum", "wieso", "wer", "wie", "welche", "welcher"}
    | {"kann ich", "soll ich", "muss ich", "darf ich", "können sie", "ist das"}
    | {"cuándo", "dónde", "por qué", "cómo", "quién", "cuánto", "cuál", "puedo", "debo", "tengo que"}
    | {"quando", "onde", "quem", "quanto", "posso", "devo", "tenho que"}
    | {"متى", "أين", "كيف", "لماذا", "هل", "ماذا", "كم"}
    | {"quand", "où", "pourquoi", "comment", "combien", "quel", "quelle", "puis je", "dois je", "est ce que"}
    | {"dove", "chi", "quale", "cosa"}
    | {"wanneer", "waar", "waarom", "hoe", "welke", "wat", "mag ik", "moet ik", "kan ik"}
    | {"kiedy", "gdzie", "dlaczego", "czy", "kto", "ile"}
    | {"când", "unde", "de ce", "cine", "cât", "pot să"}
    | {"когда", "где", "почему", "кто", "как", "сколько", "можно ли"}
    | {"lini", "wapi", "kwa nini", "nani", "je ni"}
    | {"ne zaman", "nerede", "neden", "nasıl"}
    | {"коли", "де", "чому", "хто", "як", "скільки", "чи"}
    | {"khi nào", "tại sao", "bao giờ", "mấy giờ"}
)
"""Words that begin a question, in all languages together. Many people leave out the question mark."""

QUESTION_PARTS: Final[frozenset[str]] = frozenset(
    {"क्या", "कब", "कहाँ", "कैसे", "कौन", "क्यों", "ли", "mı", "mü", "mısınız", "musunuz", "mıyım", "lini", "wapi"}
    | {"khi nào", "ở đâu", "mấy giờ", "phải không", "được không"}
)
"""Words that make a question at any place in a sentence."""

QUESTION_SIGNS: Final = (
    "吗",
    "嗎",
    "什么",
    "什麼",
    "几点",
    "幾點",
    "哪里",
    "哪裡",
    "何时",
    "何時",
    "为什么",
    "怎么",
    "怎麼",
)
"""Parts of Chinese questions. Chinese has no spaces between words."""
