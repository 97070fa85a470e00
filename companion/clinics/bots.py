"""The connection of a Clinic's bot, and two guards.

A database that was used with a real bot refuses the Sandbox, and a database with invented Telegram IDs refuses a real
bot. The guards read the database (the Bot rows and the audit trail), because a setting can get lost. The services that
send and listen take their bots from `serving`.
"""

import asyncio
import datetime as dt
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from companion.clinics import audit, chain, opt_outs
from companion.clinics.access import Caller
from companion.clinics.bot_api import bot_api_client
from companion.clinics.members import command_line
from companion.clinics.models import AuditEntry, Bot, Clinic, Closed, OtherReader, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.clinics.stored_entries import readable
from companion.service import drill
from companion.service.wake import ring
from companion.telegram.client import BotToken, CallFailed
from companion.telegram.methods import get_me
from companion.telegram.outcomes import Kind

REAL_BOT_CONNECTED: Final = "real bot connected"
SANDBOX_BOT_CONNECTED: Final = "sandbox bot connected"
ENROLLED_IN_SANDBOX: Final = "patient enrolled in the sandbox"
"""The audit entry for a patient who enrolled with a phone of the Sandbox, whose Telegram ID is invented."""

_AUDITED: Final = ("telegram_id", "username", "sandbox")

NO_SANDBOX_HERE: Final = (
    "This data was used with a real bot, so the Sandbox stays off here: it could mark a real message as sent. "
    "Unset COMPANION_SANDBOX, or name another data folder for the Sandbox in COMPANION_DATA_DIR."
)
NO_REAL_BOT_HERE: Final = (
    "This data holds invented Telegram IDs (from the demo or the Sandbox's phones), and a real bot could write to "
    "strangers. Start with an empty data folder: name it in COMPANION_DATA_DIR, and unset COMPANION_SANDBOX."
)
NO_REAL_BOT_NOW: Final = (
    "The Sandbox is on here, so the messages of a real bot would go to the Sandbox's phones. "
    "Unset COMPANION_SANDBOX, start again with an empty data folder, and connect the bot there."
)


def has_met_a_real_bot() -> bool:
    """Return whether a real bot is, or ever was, connected to any clinic of this database."""
    return Bot.objects.filter(sandbox=False).exists() or AuditEntry.objects.filter(action=REAL_BOT_CONNECTED).exists()


def holds_invented_ids() -> bool:
    """Return whether there is a demo clinic, or a patient was ever enrolled on one of the Sandbox's phones."""
    return Clinic.objects.filter(demo=True).exists() or AuditEntry.objects.filter(action=ENROLLED_IN_SANDBOX).exists()


def served_a_removed_clinic(telegram_id: int) -> bool:
    """Return whether this bot was connected to a clinic that is removed by now."""
    entries = AuditEntry.objects.filter(action=REAL_BOT_CONNECTED).exclude(clinic__in=Clinic.objects.values("pk"))
    # Only an entry that the product sealed has changes in the form in which it writes them.
    ours = [entry for entry in readable(entries) if chain.key_of(entry)]
    return any(entry.changes["telegram_id"][-1] == telegram_id for entry in ours if "telegram_id" in entry.changes)


def check_start(*, sandbox: bool) -> None:
    """Raise Conflict if the Sandbox is on although it must not be. Call it before any service starts."""
    if sandbox and has_met_a_real_bot():
        raise Conflict(NO_SANDBOX_HERE)


def serving(*, sandbox: bool) -> QuerySet[Bot]:
    """The bots that may send and listen now: those of the Sandbox if it is on, else the real bots; none in a drill."""
    if drill.is_on():
        return Bot.objects.none()
    return Bot.objects.filter(sandbox=sandbox, clinic__archived_at=None)


def connect(
    clinic: Clinic, token: str, username: str, *, sandbox: bool, now: dt.datetime, by: Caller | None = None
) -> Bot:
    """Connect the bot to the clinic, in place of its earlier bot. Opt-outs of the bot's former clinic hold here, too.

    `by` is the admin who does it (None: the command line). Raises Refused for a malformed token, Conflict if a guard
    forbids it or the bot serves another clinic, and NotAllowed.
    """
    caller = by or command_line(clinic)
    caller.needs(Role.ADMIN)
    read = read_token(token)
    try:
        with transaction.atomic():
            # If two admins connect a bot at the same moment, the second waits here, and then finds the first bot.
            Clinic.objects.select_for_update(no_key=True).get(pk=clinic.pk)
            _guard(sandbox=sandbox)
            was = Bot.objects.filter(clinic=clinic).values(*_AUDITED).first() or {}
            bot = _put(clinic, read, username, sandbox=sandbox, now=now)
            action = SANDBOX_BOT_CONNECTED if sandbox else REAL_BOT_CONNECTED
            changes = {**audit.differences(was, audit.columns(bot, _AUDITED)), "token": audit.CHANGED}
            audit.record(caller, action, "bot", bot.id, now=now, changes=changes)
            ring()
    except IntegrityError:
        raise Conflict(
            "This bot serves another clinic already. Create a bot for each clinic with @BotFather."
        ) from None
    return bot


def first_bot_from_environment(clinic: Clinic, token: str, username: str, *, sandbox: bool, now: dt.datetime) -> Bot:
    """Connect the bot of COMPANION_TELEGRAM_BOT_TOKEN (or of the Sandbox) to the first clinic. Called at every start.

    Changes nothing if the bot is connected already. Raises the errors of `connect`.
    """
    bot = Bot.objects.filter(clinic=clinic).first()
    if bot and bot.token == read_token(token).reveal() and bot.sandbox == sandbox:
        _guard(sandbox=sandbox)
        return bot
    return connect(clinic, token, username, sandbox=sandbox, now=now)


def read_token(token: str) -> BotToken:
    """Read a token into a value that never shows it. Raises Refused."""
    try:
        return BotToken(token.strip())
    except ValueError as wrong:
        raise Refused(Problem("token", str(wrong))) from None


def ask_username(token: str, *, api_url: str) -> str:
    """Ask Telegram for the bot's username (getMe, up to 10 seconds). Raises Refused with the reason for a failure.

    Raises Conflict in a drill.
    """
    if drill.is_on():
        raise Conflict(drill.NOT_IN_A_DRILL)
    read = read_token(token)

    async def ask() -> str:
        async with bot_api_client(api_url, concurrency=1) as client:
            return (await get_me(client, read)).username

    try:
        return asyncio.run(ask())
    except CallFailed as failure:
        refused = failure.outcome.kind is Kind.UNAUTHORIZED
        sentence = (
            "Telegram does not accept this token. Copy it again from @BotFather."
            if refused
            else f"Telegram could not be asked ({failure.outcome.note or failure.outcome.kind.value}). Try again."
        )
        raise Refused(Problem("token", sentence)) from None


def _guard(*, sandbox: bool) -> None:
    if settings.SANDBOX_ON and not sandbox:
        raise Conflict(NO_REAL_BOT_NOW)
    if sandbox and has_met_a_real_bot():
        raise Conflict(NO_SANDBOX_HERE)
    if not sandbox and holds_invented_ids():
        raise Conflict(NO_REAL_BOT_HERE)


def _put(clinic: Clinic, token: BotToken, username: str, *, sandbox: bool, now: dt.datetime) -> Bot:
    before = Bot.objects.select_for_update().filter(clinic=clinic).first()
    bot = before or Bot(clinic=clinic)
    if bot.telegram_id != token.bot_id:
        # Each bot numbers its updates and messages from the beginning.
        bot.next_update_id = 0
        bot.numbers_since = now
        if before:
            before.heard_numbers.all().delete()
            opt_outs.release(clinic, before.telegram_id, now=now)
        opt_outs.bring_along(clinic, token.bot_id)
    bot.other_reader, bot.other_reader_since, bot.other_reader_at = OtherReader.NOBODY, None, None
    bot.telegram_id, bot.token, bot.username = token.bot_id, token.reveal(), username
    bot.sandbox = sandbox
    bot.closed_until, bot.closed_why = None, Closed.NOT_CLOSED
    bot.save()
    return bot
