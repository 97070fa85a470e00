"""No call that changes something is forgotten in the audit trail: all of them, read from the URL configuration."""

from typing import Final

import pytest

from tests.clinics.acts_in_the_code import Code, changing_calls, commands, reaches

UNRECORDED: Final = {
    "POST /accounts/password/set/": "allauth's signal leaves the entry: companion/web/account/evidence.py",
    "POST /clinic": "chooses which of their own clinics a person sees",
    "POST /mcp/checks": "only checks",
    "POST /mcp/diagnostics": "only checks",
    "POST /sandbox/<int:telegram_id>/act": "an invented phone's own act",
    "POST /sandbox/phones": "makes an invented phone",
    "POST /scheduled-messages/drafts": "keeps a person's own unfinished form, which plans nothing",
    "POST /scheduled-messages/drafts/<uuid:key>/discard": "drops a person's own unfinished form",
    "POST /scheduled-messages/new/preview": "stores nothing",
    "POST /scheduled-messages/new/recipients": "stores nothing",
    "POST /schedules/preview": "stores nothing",
    "POST /schedules/{id}/preview": "stores nothing",
}
"""Calls whose code leaves no entry, each with the reason."""
UNRECORDED_COMMANDS: Final = {
    "audit verify": "only checks",
    "backup": "encrypted, made every day, and changes nothing: docs/decisions/operating.md",
    "clinic list": "only lists",
    "doctor": "only checks",
    "key list": "only lists",
    "keys list": "only lists",
    "member list": "only lists",
    "operator list": "only lists",
    "unknown list": "only lists ids and instants",
}
"""Commands that leave no entry, each with the reason."""
CALLS: Final = sorted(changing_calls())
COMMANDS: Final = list(commands())


@pytest.mark.parametrize(("call", "code"), CALLS, ids=[call for call, _ in CALLS])
def test_every_call_that_changes_something_leaves_an_entry(call: str, code: Code) -> None:
    assert reaches(code, "audit.record") != (call in UNRECORDED)


@pytest.mark.parametrize(("command", "code"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_every_command_that_changes_something_leaves_an_entry(command: str, code: Code) -> None:
    assert reaches(code, "audit.record") != (command in UNRECORDED_COMMANDS)


def test_no_exception_outlives_its_call() -> None:
    assert set(UNRECORDED) <= {call for call, _ in CALLS}
    assert set(UNRECORDED_COMMANDS) <= {command for command, _ in COMMANDS}
