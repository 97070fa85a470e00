"""The operator's files and settings: evidence packets, backups, Journals, keys, sign-in services, the environment."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Final

import pyrage
import pytest
from pydantic import BaseModel, ValidationError

from companion.clinics import provider_file
from companion.clinics.provider_file import Provider
from companion.clinics.refusals import Conflict
from companion.config.databases import postgresql
from companion.config.environment import Environment
from companion.config.secret_files import text_of as text_of_file
from companion.journal import folder
from companion.journal.entries import Entry, Heard, Peers, entries_in, line_of
from companion.restoring import backup
from companion.restoring.sealing import Key
from companion.rights import evidence_check
from companion.service.key_file import keys_in, write
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_of, text_of

SECRET: Final = "very-secret-words"


@pytest.mark.django_db
@fuzzed("evidence", '<script type="application/json" id="packet">', "</script>", '"content": ', '"seal": ', "{}")
def test_any_file_is_no_evidence_packet_or_is_said_to_be_wrong(place: Path, raw: bytes) -> None:
    file = place / "packet.html"
    file.write_bytes(raw)

    try:
        wrong = evidence_check.check(file)
    except Conflict:
        return
    assert wrong


_LINES: Final[list[Entry]] = [
    Heard(NOW, uuid.UUID(int=1), 4711, "stop"),
    Peers(NOW + dt.timedelta(seconds=1), ["one", "other"]),
    Heard(NOW + dt.timedelta(seconds=2), uuid.UUID(int=2), 4712, "start"),
]


def a_journal() -> bytes:
    written, before = b"", 0
    for entry in _LINES:
        line, before = line_of(entry, before)
        written += line
    return written


@fuzzed("journal", "\n", " ", "{", "stop", "2026-12-01T08:00:00Z", "kind")
def test_a_damaged_journal_gives_the_entries_before_the_damage(raw: bytes) -> None:
    whole = a_journal()

    found, undamaged = entries_in(raw)
    assert undamaged == (not raw) or found
    sorted(found, key=lambda entry: entry.at)

    # If only the end of a Journal is damaged, all entries before the damage are read.
    cut = len(raw) * 31 % len(whole)
    kept, undamaged = entries_in(whole[:cut] + raw)
    assert kept[: whole[:cut].count(b"\n")] == _LINES[: whole[:cut].count(b"\n")]


@fuzzed("journal_list", ".journal\n", "-", " 2026-11-01T08:00:00+00:00", "..", "/", "\0")
def test_any_list_of_files_gives_a_journal_that_is_whole_or_is_not(place: Path, raw: bytes) -> None:
    (place / "journal.id").write_bytes(b"one" if len(raw) % 7 else raw)
    (place / "files.list").write_bytes(raw)

    found = folder.read(place, since=NOW)

    assert found is None or found.entries == []


@fuzzed("secret_keys", "\n", "\r\n", "\u2028", "a" * 86)
def test_any_file_of_keys_is_refused_or_written_and_read_as_the_same_keys(place: Path, raw: bytes) -> None:
    file = place / "keys"
    file.write_bytes(raw)
    try:
        keys = keys_in(text_of_file(file, "COMPANION_SECRET_KEY_FILE"))
    except ValueError as wrong:
        assert str(wrong).startswith("COMPANION_SECRET_KEY_FILE names")
        return

    write(file, keys)
    assert keys_in(file.read_text()) == keys


@fuzzed("oidc_file", "[", "=", '"', "\n", "client_secret", "issuer", "https://", "domains")
def test_any_file_of_sign_in_services_is_read_or_refused_without_a_secret(place: Path, raw: bytes) -> None:
    file = place / "oidc.toml"
    file.write_bytes(raw)

    try:
        provider_file.read(file)
    except ValueError as wrong:
        assert SECRET not in str(wrong)


@fuzzed("claims", "nurses", "doctors", "email", "groups", "@linden.example", "true")
def test_any_claims_of_a_person_give_a_role_or_a_stranger(raw: bytes) -> None:
    provider = Provider(
        name="Linden",
        issuer="https://login.example",
        client_id="x",
        client_secret=SECRET,
        domains={"linden.example": "viewer"},
        groups={"nurses": "provider", "doctors": "admin"},
    )
    claims = json_of(raw)

    if isinstance(claims, dict):
        assert provider.role_of(claims) in (None, "viewer", "provider", "admin")


_SECRETS: Final = (("smtp_url",), ("database_url",), ("telegram_proxy",), ("telegram_bot_token",), ("secret_key",))


@fuzzed("settings", "\n", "=", "smtp_url=smtp://", "database_url=postgresql://", "base_url=", "[", "@", ":99999", "?")
def test_any_settings_are_taken_or_refused_without_a_secret(raw: bytes) -> None:
    given = dict(line.partition("=")[::2] for line in text_of(raw).split("\n") if "=" in line)
    given = {name: value for name, value in given.items() if not name.endswith(("file", "dir"))}
    try:
        # Without its look for variables, which takes ten times as long.
        own = Environment.__new__(Environment)
        BaseModel.__init__(own, **given)
    except ValidationError as wrong:
        assert SECRET not in "".join(error["msg"] for error in wrong.errors() if error["loc"][-1:] in _SECRETS)
        return

    assert own.allowed_hosts
    assert own.mail_server.port >= 0
    assert f"{own.public_url}{own.mail_from}{own.security_contact_uri}{own.bot_api_url}".isprintable()
    if own.database_url:
        try:
            postgresql(own.database_url.get_secret_value())
        except ValueError as wrong:
            assert SECRET not in str(wrong)


OWN: Final = pyrage.x25519.Identity.generate()


@fuzzed("backup", "manifest.json", "PK\x03\x04", "PK\x01\x02", "PK\x05\x06", "age-encryption.org/v1\n")
def test_any_file_is_no_backup_or_is_refused(place: Path, raw: bytes) -> None:
    identity = place / "identity"
    if not identity.exists():
        identity.write_text(str(OWN))
    file = place / "backup.age"
    # Torn on its way, or a foreign archive that was encrypted to our own key.
    sealed = raw if len(raw) % 2 else pyrage.encrypt(raw, [OWN.to_public()])
    file.write_bytes(sealed)

    with pytest.raises(Conflict), backup.opened(file, Key(identity)):
        pass
