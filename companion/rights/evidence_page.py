"""An evidence packet as one HTML file for people, with the same values as JSON inside.

The file depends only on the values. So a check can make it again and find any difference. Patients write in any
language, so the browser finds the direction of each value from its words (dir="auto").
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from django.utils.html import escape

BEGIN: Final = '<script type="application/json" id="packet">'
END: Final = "</script>"
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d273b}"
    "h2{margin-top:1.6rem;border-bottom:1px solid #ccc}table{border-collapse:collapse;width:100%;margin:.4rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .5rem;border:1px solid #ddd;overflow-wrap:anywhere}"
    "th{width:13rem;font-weight:600}td{white-space:pre-wrap}"
    "@media print{body{margin:0;max-width:none}table{break-inside:avoid}}"
)
_TITLES: Final = {
    "message": "Message and attempts",
    "plan": "Plan and rule",
    "consents": "Consent and its wording",
    "approvals": "Approvals",
    "answers": "Answers",
    "audit": "Audit trail",
    "clinic": "Clinic",
    "patient": "Patient",
}


def page_of(content: Mapping[str, object], key: str, seal: str) -> str:
    """Return the file for these values and their seal."""
    inside = json.dumps({"content": content, "key": key, "seal": seal}, sort_keys=True, ensure_ascii=False)
    # Escape these characters, so that no value can end the script element.
    inside = inside.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    plain = {name: value for name, value in content.items() if name not in _TITLES}
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Evidence of a message</title>',
        f"<style>{_STYLE}</style></head><body>",
        "<h1>Evidence of a message</h1>",
        _table({**plain, "key": key, "seal": seal}),
        "<p>Check this file with <code>companion audit verify FILE</code> where it was made.</p>",
        *(f"<h2>{title}</h2>\n{_shown(content.get(name))}" for name, title in _TITLES.items()),
        f"{BEGIN}{inside}{END}",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _shown(value: object) -> str:
    match value:
        case Mapping() if value:
            return _table(value)
        case str() | int() | float():
            return str(escape(value))
        case Sequence() if value:
            return "".join(f"{_shown(item)}\n" for item in value)
        case _:
            return "none"


def _table(values: Mapping[str, object]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td dir=auto>{_shown(value)}</td></tr>\n"
        for name, value in sorted(values.items())
    )
    return f"<table>\n{rows}</table>"
