"""The steps before services start: the schema, the first clinic with its admin and bot. It starts no service.

Each step may run at every start, and changes nothing that exists.
"""

import datetime as dt
import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from companion.clinics import append_only, bots, members
from companion.clinics.models import Bot, Clinic, Member, Role
from companion.clinics.refusals import Conflict, Refused
from companion.clinics.sealed import CannotOpen
from companion.patients import consent
from companion.restoring import holding
from companion.sandbox import phone
from companion.service import drill, key_ring
from companion.service.data_folder import data_folder
from companion.service.models import UsedKey
from companion.service.outages import Trouble, trouble_of

FIRST_ADMIN: Final = "admin@clinic.example"
"""The first admin's address. No e-mail is sent to it: this admin signs in by a link that `companion up` prints."""
_MIGRATE_LOCK: Final = 7_263_415
"""An arbitrary number, the same in every process: PostgreSQL's advisory lock for migrations."""
_RETRY_SECONDS: Final = 0.2
_NOT_BOTH: Final = (
    "The Sandbox is on and COMPANION_TELEGRAM_BOT_TOKEN is set. To send by the real bot, unset COMPANION_SANDBOX; "
    "to practise, unset COMPANION_TELEGRAM_BOT_TOKEN."
)
_OTHER_KEY: Final = (
    "This data was sealed with another COMPANION_SECRET_KEY: texts and the bot's token can't be read. "
    "Give back that key. If the variable is not set, the key is in the file secret_key in the data folder."
)
_BROUGHT_BACK: Final = (
    "The database had not kept the audit trail append-only ({gone}). Now it does again. `companion audit verify` "
    "finds changes that were made meanwhile."
)
_LOST_KEY: Final = (
    "Data here was sealed with a COMPANION_SECRET_KEY ({lost}) that is none of the keys known here ({known}): its "
    "texts and tokens can't be read. Give back that key. If the variable is not set, the key is in the file secret_key "
    "in the data folder. If the key is lost for good, run `companion keys drop --lost`: the services then start "
    "without the values that it sealed."
)
_DRILLS_DATABASE: Final = (
    "This database was restored for a drill, and its patients are real. Set COMPANION_DRILL=1 to use it, "
    "or name another database in COMPANION_DATABASE_URL."
)
_NO_DRILLS_DATABASE: Final = (
    "COMPANION_DRILL=1 is set, but this database was not restored for a drill. Unset the variable to use it. To try a "
    "copy that was restored by other means, first run `companion restored --drill --taken …` on the copy, with "
    "COMPANION_DRILL unset."
)
_OF_A_REMOVED_CLINIC: Final = (
    "The bot of COMPANION_TELEGRAM_BOT_TOKEN is not connected, since it was the bot of a clinic that was removed. "
    "Unset the variable. If another clinic shall use this bot, its admin connects it in Settings."
)
SANDBOX_BOT_NAME: Final = "Practice bot"


def wait_for_database(seconds: float, *, on_wait: Callable[[Trouble], None]) -> None:
    """Return once the database answers. Calls `on_wait` with each new reason for waiting.

    Raises OperationalError when the time is over. Makes the data folder, without which SQLite can make no file.
    """
    data_folder()
    until = time.monotonic() + seconds
    reported: Trouble | None = None
    while True:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            trouble = trouble_of(error)
            if trouble is None or time.monotonic() >= until:
                raise
        else:
            return
        if trouble != reported:
            on_wait(trouble)
        reported = trouble
        time.sleep(_RETRY_SECONDS)


def migrate() -> None:
    """Bring the schema up to date. If several processes do this at once, one migrates and the others wait.

    Raises Conflict if a secret key is missing that sealed data here: migrations may seal values anew.
    """
    data_folder()
    with _one_at_a_time():
        if UsedKey._meta.db_table in connection.introspection.table_names():
            _refuse_lost(key_ring.missing())
        call_command("migrate", verbosity=0, interactive=False)


def protect_trail() -> str:
    """Bring back the database's protection of the audit trail, and return a sentence for people if some was gone.

    Raises Conflict if this database's user may not bring it back.
    """
    with _one_at_a_time():
        gone = append_only.hold()
    return _BROUGHT_BACK.format(gone=", ".join(gone)) if gone else ""


def unapplied() -> int:
    """The number of migrations that the database still lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def check_start() -> None:
    """Raise Conflict if this data must not be used with these settings."""
    check_drill()
    if settings.SANDBOX_ON and settings.COMPANION.telegram_bot_token:
        raise Conflict(_NOT_BOTH)
    bots.check_start(sandbox=settings.SANDBOX_ON)
    check_keys()
    try:
        # Reading the rows opens the tokens.
        list(Bot.objects.all())
    except CannotOpen:
        raise Conflict(_OTHER_KEY) from None


def check_keys() -> None:
    """Raise Conflict if a secret key is missing that sealed data here; else record that the present key is in use."""
    _refuse_lost(key_ring.claim(key_ring.ring().ids))


def _refuse_lost(lost: Sequence[str]) -> None:
    if lost:
        known = ", ".join(key_ring.ring().ids)
        raise Conflict(_LOST_KEY.format(lost=", ".join(lost), known=known))


def check_drill() -> None:
    """Raise Conflict if COMPANION_DRILL and the database disagree.

    A drill without the variable could send messages to real patients; the variable without a drill would send none.
    """
    if holding.is_drill() != settings.DRILL:
        raise Conflict(_NO_DRILLS_DATABASE if settings.DRILL else _DRILLS_DATABASE)


class FirstAdmin(NamedTuple):
    """A clinic's first admin, and whether they were added just now."""

    member: Member
    added: bool


def first_admin(clinic: Clinic, *, now: dt.datetime, email: str = FIRST_ADMIN) -> FirstAdmin:
    """Return the clinic's first admin, added if the clinic had none."""
    admins = Member.objects.filter(clinic=clinic, role=Role.ADMIN, user__is_active=True)
    admin = admins.select_related("user", "clinic").order_by("created_at", "id").first()
    if admin:
        return FirstAdmin(admin, added=False)
    return FirstAdmin(members.add_member(clinic, email, Role.ADMIN, now=now), added=True)


def first_bot(clinic: Clinic, *, now: dt.datetime) -> str:
    """Connect the first clinic's bot: the Sandbox's bot if the Sandbox is on, else the bot of the environment, if any.

    Returns a sentence for people if there is something to know, else "". Raises Conflict if this data must not be used
    with these settings, and Refused for a malformed token.
    """
    check_start()
    if settings.DRILL:
        return drill.WORDS
    if settings.SANDBOX_ON:
        sandbox_bot(clinic, now=now)
        return ""
    token = settings.COMPANION.telegram_bot_token
    note = _real_bot(clinic, token.get_secret_value(), now=now) if token else ""
    consent.follow_opt_outs(clinic, now=now)
    return note


def sandbox_bot(clinic: Clinic, *, now: dt.datetime) -> Bot:
    """Return the clinic's bot in the Sandbox, created if missing. Raises Conflict if a real bot was used before."""
    bot = Bot.objects.filter(clinic=clinic).first()
    if bot and bot.sandbox and phone.bot_of(bot.token):
        return bot
    username = f"{clinic.slug.replace('-', '_')[:20]}_practice_bot"
    token = phone.make_bot(SANDBOX_BOT_NAME, username)
    return bots.first_bot_from_environment(clinic, token, username, sandbox=True, now=now)


def _real_bot(clinic: Clinic, token: str, *, now: dt.datetime) -> str:
    wanted = bots.read_token(token)
    bot = Bot.objects.filter(clinic=clinic).first()
    if bot and bot.token == wanted.reveal() and bot.username:
        bots.first_bot_from_environment(clinic, token, bot.username, sandbox=False, now=now)
        return ""
    if bots.served_a_removed_clinic(wanted.bot_id):
        # This clinic is the first only since then. Its bot, and so its patients, must not be exchanged unasked.
        return _OF_A_REMOVED_CLINIC
    try:
        username = bots.ask_username(token, api_url=settings.COMPANION.bot_api_url)
    except Refused as refusal:
        why = " ".join(problem.message for problem in refusal.problems)
        if bot and bot.token != wanted.reveal():
            # A working bot must not be replaced by a bot that may never work.
            return f"The bot of COMPANION_TELEGRAM_BOT_TOKEN is not connected; the clinic keeps its present bot. {why}"
        bots.first_bot_from_environment(clinic, token, "", sandbox=False, now=now)
        return f"The bot of COMPANION_TELEGRAM_BOT_TOKEN is connected but could not be tried. {why}"
    bots.connect(clinic, token, username, sandbox=False, now=now)
    return ""


def _take_lock(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATE_LOCK])
    return bool(cursor.fetchone()[0])


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # This asks repeatedly instead of waiting within one statement: CREATE INDEX CONCURRENTLY of the process
            # that migrates would wait for the end of such a statement, and both would wait for ever.
            while not _take_lock(cursor):
                time.sleep(_RETRY_SECONDS)
            try:
                # Services give up soon if a row is locked. A migration waits, since it would have to start again.
                cursor.execute("SET lock_timeout = 0")
                yield
            finally:
                cursor.execute("RESET lock_timeout")
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATE_LOCK])
        return
    with (settings.DATA_DIR / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
