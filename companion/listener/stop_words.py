"""Tables of the words by which patients opt out, of "please", and of the words that make a question.

stopping.py reads them. Another language is one more entry in STOP_WORDS; a test asks for one for each language that a
patient may have.
"""

from collections.abc import Mapping
from typing import Final

STOP_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "en": frozenset({"stop", "stopall", "stop all", "unsubscribe", "opt out", "optout"}),
    "de": frozenset({"stop", "stopp", "halt", "abmelden"}),
    "es": frozenset({"stop", "alto", "parar", "baja"}),
    "pt": frozenset({"stop", "parar", "pare", "sair"}),
    # Languages in which we have no texts yet. A patient who opts out in them is understood nevertheless.
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
    # Any other language may be recorded, too; these are the word STOP itself in its script, or what phones use for it.
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
"""STOP words, without accents, that also have another meaning in ordinary speech."""

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
    # Latin, Greek, Cyrillic; a dot where the alphabet has no such letter.
    *("aαа", "bβв", "c·с", "eεе", "hηн", "iιі", "j·ј", "kκк", "mμм", "nν·", "oοо", "pρр", "s·ѕ", "sσ·", "tτт"),
    *("xχх", "yυу", "zζ·", "·πп", "·γг", "·φф"),
)
"""Letters that look alike as small letters or as capitals."""

_VERBS: Final = ("can", "could", "do", "does", "did", "is", "are", "will", "would", "should", "may", "must")
_WHO: Final = ("i", "you", "we", "they", "he", "she", "it", "my", "the", "there", "this", "that")

QUESTION_OPENINGS: Final[frozenset[str]] = frozenset(
    # With the pronoun, since "Do not write" and "Will be back" ask nothing.
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
"""Words with which a question begins, in all languages together: many people leave out the mark."""

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
