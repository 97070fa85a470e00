"""The texts that the listener sends to patients, with an entry for each language.

The placeholders of schedules/text.py are filled in when a text is sent. To add a language, add an entry to WORDS; a
test checks that it is complete.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final

from companion.patients.languages import nearest


class Word(StrEnum):
    """The names of the texts."""

    QUESTION = auto()
    """Asks for consent. Raise patients.consent.WORDING when its meaning changes."""
    AGREE_BUTTON = auto()
    NOT_ME_BUTTON = auto()
    AGREED = auto()
    AGREED_BEFORE = auto()
    """Shown over the chat when an answered question is answered again."""
    NOT_OPEN = auto()
    """Shown over the chat after a tap on a question that is no longer open."""
    NOT_ME = auto()
    STARTED = auto()
    STOPPED = auto()
    NOT_KNOWN = auto()
    """Sent to a chat that belongs to no patient."""
    LINK_UNKNOWN = auto()
    LINK_USED = auto()
    LINK_EXPIRED = auto()
    LINK_TAKEN = auto()
    CALL = auto()
    """Answers words that ask for urgent help; the clinic's number follows."""
    NO_ANSWER_YET = auto()
    """Comes before a text that is sent again because no answer came."""
    NOT_AGAIN = auto()
    """Shown over the chat after a tap on "Later" when nothing can come later."""
    STOP_MEANT = auto()
    """Asks whether a message was meant as a STOP."""
    STOP_BUTTON = auto()
    GO_ON_BUTTON = auto()
    GOES_ON = auto()
    """Shown over the chat when the go-on button is tapped."""


_ENGLISH: Final = {
    Word.QUESTION: (
        "Hello! {clinic} would like to send messages for {first_name} to this chat: reminders and other notes about "
        "care. Chats with a bot are not end-to-end encrypted. You can stop them at any time by sending STOP. "
        "Do you agree?"
    ),
    Word.AGREE_BUTTON: "I agree",
    Word.NOT_ME_BUTTON: "That's not me",
    Word.AGREED: "Thank you. Messages from {clinic} will come to this chat. To stop them, send STOP.",
    Word.AGREED_BEFORE: "You have agreed already.",
    Word.NOT_OPEN: "This question is no longer open. Press Start to begin again.",
    Word.NOT_ME: "Sorry for the mix-up. This chat is unlinked, and {clinic} is told. You get no messages from here.",
    Word.STARTED: "Messages from {clinic} come to this chat. To stop them, send STOP.",
    Word.STOPPED: "Done: {clinic} sends no more messages to this chat. If you change your mind, send /start.",
    Word.NOT_KNOWN: "This is the bot of {clinic}. It doesn't know this chat yet: please ask for an invitation.",
    Word.LINK_UNKNOWN: "This invitation isn't valid here. Please ask {clinic} for a new invitation.",
    Word.LINK_USED: "This invitation was used already. Please ask {clinic} for a new invitation.",
    Word.LINK_EXPIRED: "This invitation has expired. Please ask {clinic} for a new invitation.",
    Word.LINK_TAKEN: "This chat is linked to somebody else already. Please talk to {clinic}, who can sort it out.",
    Word.CALL: "Nobody watches this chat at all hours. {clinic} is told. If you need help now, please call:",
    Word.NO_ANSWER_YET: "We have no answer from you yet:",
    Word.NOT_AGAIN: "This message doesn't come again.",
    Word.STOP_MEANT: "Did you mean that {clinic} is to send no more messages to this chat?",
    Word.STOP_BUTTON: "Stop all messages",
    Word.GO_ON_BUTTON: "Keep the messages",
    Word.GOES_ON: "Messages keep coming.",
}

_GERMAN: Final = {
    Word.QUESTION: (
        "Hallo! {clinic} möchte Nachrichten für {first_name} in diesen Chat schicken: Erinnerungen und andere Hinweise "
        "zur Behandlung. Chats mit einem Bot sind nicht Ende-zu-Ende-verschlüsselt. Mit STOP beenden Sie das "
        "jederzeit. Sind Sie einverstanden?"
    ),
    Word.AGREE_BUTTON: "Einverstanden",
    Word.NOT_ME_BUTTON: "Das bin ich nicht",
    Word.AGREED: "Danke. Nachrichten von {clinic} kommen in diesen Chat. Um sie zu beenden, schreiben Sie STOP.",
    Word.AGREED_BEFORE: "Sie haben schon zugestimmt.",
    Word.NOT_OPEN: "Diese Frage ist nicht mehr offen. Drücken Sie Start, um neu zu beginnen.",
    Word.NOT_ME: (
        "Entschuldigung für die Verwechslung. Dieser Chat ist nicht mehr verknüpft, und {clinic} erfährt davon. "
        "Sie bekommen von hier keine Nachrichten."
    ),
    Word.STARTED: "Nachrichten von {clinic} kommen in diesen Chat. Um sie zu beenden, schreiben Sie STOP.",
    Word.STOPPED: "Erledigt: {clinic} schickt nichts mehr in diesen Chat. Wenn Sie es sich anders überlegen: /start.",
    Word.NOT_KNOWN: (
        "Das ist der Bot von {clinic}. Er kennt diesen Chat noch nicht: Bitten Sie {clinic} um eine Einladung."
    ),
    Word.LINK_UNKNOWN: "Diese Einladung gilt hier nicht. Bitten Sie {clinic} um eine neue.",
    Word.LINK_USED: "Diese Einladung wurde schon benutzt. Bitten Sie {clinic} um eine neue.",
    Word.LINK_EXPIRED: "Diese Einladung ist abgelaufen. Bitten Sie {clinic} um eine neue.",
    Word.LINK_TAKEN: "Dieser Chat gehört schon zu jemand anderem. Bitte sprechen Sie mit {clinic}.",
    Word.CALL: (
        "Dieser Chat wird nicht rund um die Uhr gelesen. {clinic} erfährt davon. "
        "Wenn Sie jetzt Hilfe brauchen, rufen Sie bitte an:"
    ),
    Word.NO_ANSWER_YET: "Wir haben noch keine Antwort von Ihnen:",
    Word.NOT_AGAIN: "Diese Nachricht kommt nicht noch einmal.",
    Word.STOP_MEANT: "Meinten Sie, dass {clinic} nichts mehr in diesen Chat schicken soll?",
    Word.STOP_BUTTON: "Nachrichten beenden",
    Word.GO_ON_BUTTON: "Nachrichten behalten",
    Word.GOES_ON: "Die Nachrichten kommen weiter.",
}

_SPANISH: Final = {
    Word.QUESTION: (
        "¡Hola! {clinic} quiere enviar mensajes para {first_name} a este chat: recordatorios y otras notas sobre su "
        "atención. Los chats con un bot no están cifrados de extremo a extremo. Puede dejar de recibirlos en "
        "cualquier momento enviando ALTO. ¿Está de acuerdo?"
    ),
    Word.AGREE_BUTTON: "Estoy de acuerdo",
    Word.NOT_ME_BUTTON: "No soy yo",
    Word.AGREED: "Gracias. Los mensajes de {clinic} llegarán a este chat. Para dejar de recibirlos, envíe ALTO.",
    Word.AGREED_BEFORE: "Ya dio su acuerdo.",
    Word.NOT_OPEN: "Esta pregunta ya no está abierta. Pulse Iniciar para empezar de nuevo.",
    Word.NOT_ME: (
        "Disculpe la confusión. Este chat ya no está vinculado y {clinic} queda avisado. "
        "No recibirá mensajes desde aquí."
    ),
    Word.STARTED: "Los mensajes de {clinic} llegan a este chat. Para dejar de recibirlos, envíe ALTO.",
    Word.STOPPED: "Listo: {clinic} no enviará más mensajes a este chat. Si cambia de opinión, envíe /start.",
    Word.NOT_KNOWN: "Este es el bot de {clinic}. Todavía no conoce este chat: pida una invitación a {clinic}.",
    Word.LINK_UNKNOWN: "Esta invitación no es válida aquí. Pida una nueva a {clinic}.",
    Word.LINK_USED: "Esta invitación ya fue usada. Pida una nueva a {clinic}.",
    Word.LINK_EXPIRED: "Esta invitación ha caducado. Pida una nueva a {clinic}.",
    Word.LINK_TAKEN: "Este chat ya está vinculado a otra persona. Hable con {clinic} para resolverlo.",
    Word.CALL: (
        "Este chat no se lee a todas horas. {clinic} queda avisado. Si necesita ayuda ahora, llame por favor al:"
    ),
    Word.NO_ANSWER_YET: "Todavía no tenemos su respuesta:",
    Word.NOT_AGAIN: "Este mensaje no vuelve a llegar.",
    Word.STOP_MEANT: "¿Quiso decir que {clinic} no envíe más mensajes a este chat?",
    Word.STOP_BUTTON: "No enviar más mensajes",
    Word.GO_ON_BUTTON: "Seguir recibiéndolos",
    Word.GOES_ON: "Los mensajes seguirán llegando.",
}

_PORTUGUESE: Final = {
    Word.QUESTION: (
        "Olá! {clinic} gostaria de enviar mensagens para {first_name} neste chat: lembretes e outras notas sobre o "
        "cuidado. Os chats com um bot não são criptografados de ponta a ponta. Você pode parar a qualquer momento "
        "enviando PARAR. Você concorda?"
    ),
    Word.AGREE_BUTTON: "Concordo",
    Word.NOT_ME_BUTTON: "Não sou eu",
    Word.AGREED: "Obrigado. As mensagens de {clinic} chegarão neste chat. Para parar, envie PARAR.",
    Word.AGREED_BEFORE: "Você já concordou.",
    Word.NOT_OPEN: "Esta pergunta já não está aberta. Toque em Iniciar para recomeçar.",
    Word.NOT_ME: (
        "Desculpe o engano. Este chat já não está vinculado e {clinic} foi avisado. "
        "Você não receberá mensagens por aqui."
    ),
    Word.STARTED: "As mensagens de {clinic} chegam neste chat. Para parar, envie PARAR.",
    Word.STOPPED: "Pronto: {clinic} não enviará mais mensagens a este chat. Se mudar de ideia, envie /start.",
    Word.NOT_KNOWN: "Este é o bot de {clinic}. Ele ainda não conhece este chat: peça um convite a {clinic}.",
    Word.LINK_UNKNOWN: "Este convite não vale aqui. Peça um novo a {clinic}.",
    Word.LINK_USED: "Este convite já foi usado. Peça um novo a {clinic}.",
    Word.LINK_EXPIRED: "Este convite expirou. Peça um novo a {clinic}.",
    Word.LINK_TAKEN: "Este chat já está vinculado a outra pessoa. Fale com {clinic} para resolver.",
    Word.CALL: (
        "Este chat não é lido a todas as horas. {clinic} foi avisado. Se precisa de ajuda agora, ligue por favor para:"
    ),
    Word.NO_ANSWER_YET: "Ainda não temos a sua resposta:",
    Word.NOT_AGAIN: "Esta mensagem não volta a chegar.",
    Word.STOP_MEANT: "Quis dizer que {clinic} não deve enviar mais mensagens a este chat?",
    Word.STOP_BUTTON: "Parar as mensagens",
    Word.GO_ON_BUTTON: "Continuar a receber",
    Word.GOES_ON: "As mensagens continuam a chegar.",
}

WORDS: Final[Mapping[str, Mapping[Word, str]]] = {
    "en": _ENGLISH,
    "de": _GERMAN,
    "es": _SPANISH,
    "pt": _PORTUGUESE,
}


def say(word: Word, language: str) -> str:
    """Return the text in this language ("pt-BR" finds "pt"), or in English if there is none in this language."""
    return WORDS[nearest(language, WORDS)][word]
