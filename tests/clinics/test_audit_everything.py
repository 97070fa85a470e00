"""No call that changes something is forgotten in the audit trail: all of them, read from the URL configuration."""

from typing import Final

import pytest

from tests.clinics.acts_in_the_code import Code, changing_calls, reaches

UNRECORDED: Final = {
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
"""Calls that leave no entry, each with the reason."""
CALLS: Final = sorted(changing_calls())


@pytest.mark.parametrize(("call", "code"), CALLS, ids=[call for call, _ in CALLS])
def test_every_call_that_changes_something_leaves_an_entry(call: str, code: Code) -> None:
    assert reaches(code, "audit.record") != (call in UNRECORDED)


def test_no_exception_outlives_its_call() -> None:
    assert set(UNRECORDED) <= {call for call, _ in CALLS}
