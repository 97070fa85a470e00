"""The runbook: a page for each alert and each reason code, with the same four parts, on paper and in the panel."""

import re
from pathlib import Path

from companion.panel import runbook
from companion.panel.finding import Cause
from companion.schedules.reasons import Reason

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yml"
PAGES = [page for chapter in runbook.chapters() for page in chapter.pages]
NAMES = [page.name for page in PAGES]


def test_each_cause_of_an_alert_has_its_page() -> None:
    assert [cause for cause in (*Cause, runbook.WEBHOOK, runbook.URGENT) if cause not in NAMES] == []


def test_each_reason_code_has_its_page() -> None:
    assert [code for code in Reason if f"failed {code}" not in NAMES and f"cancelled {code}" not in NAMES] == []


def test_each_alert_rule_has_its_page_and_leads_there() -> None:
    rules = re.findall(r"alert: (\w+)", RULES.read_text())
    led = re.findall(r'runbook: "docs/runbook.md#(\w+)"', RULES.read_text())

    assert [rule for rule in rules if rule not in NAMES] == []
    assert led == [runbook.anchor(rule) for rule in rules]


def test_each_page_says_what_it_means_what_patients_see_what_to_check_and_what_to_do() -> None:
    parts = ("What it means", "What the patient experiences", "What to check", "What to do")

    assert [page.name for page in PAGES if tuple(label for label, _ in page.parts) != parts] == []


def test_no_two_pages_share_an_address() -> None:
    assert len({page.anchor for page in PAGES}) == len(PAGES)
