"""The export as a page for people, with the same values as the JSON. Pure.

Patients write in any language, so the browser finds the direction of each value from its words (dir="auto").
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from companion.rights.shapes import PatientExport
from companion.times.walls import local

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.25rem .5rem;text-align:left}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dd{margin:0}"
    "td,dd{white-space:pre-line;overflow-wrap:anywhere}dt{font-weight:bold}article{border-top:1px solid #ccc}"
)


def page_of(export: PatientExport, timezone: str) -> str:
    """Return the export as a whole HTML page. Instants are shown in this time zone."""
    values = export.model_dump()
    name, made = export.patient.name, _words(values.pop("made_at"), timezone)
    sections = format_html_join(
        "",
        "<section><h2>{}</h2>{}</section>",
        ((_title(key), _shown(value, timezone)) for key, value in values.items()),
    )
    return format_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{}</title><style>{}</style></head>'
        '<body><h1 dir="auto">{}</h1>'
        "<p>All that {} holds about this patient, on {}. Times are in the zone {}.</p>{}</body></html>",
        name,
        SafeString(_STYLE),
        name,
        export.clinic,
        made,
        timezone,
        sections,
    )


def _shown(value: object, timezone: str) -> SafeString:
    match value:
        case Mapping():
            return _list(value, timezone)
        case [Mapping(), *_]:
            return _rows([row for row in value if isinstance(row, Mapping)], timezone)
        case list():
            return _paragraph(", ".join(_words(item, timezone) for item in value) or "none")
        case _:
            return _paragraph(_words(value, timezone))


def _paragraph(words: str) -> SafeString:
    return format_html('<p dir="auto">{}</p>', words)


def _list(values: Mapping[str, object], timezone: str) -> SafeString:
    rows = format_html_join(
        "",
        '<dt>{}</dt><dd dir="auto">{}</dd>',
        ((_title(key), _inside(value, timezone)) for key, value in values.items()),
    )
    return format_html("<dl>{}</dl>", rows)


def _rows(rows: Sequence[Mapping[str, object]], timezone: str) -> SafeString:
    """Return a table. Rows that contain further rows (a message with its attempts) become articles instead."""
    if any(isinstance(value, list) for value in rows[0].values()):
        return format_html_join("", "<article>{}</article>", ((_list(row, timezone),) for row in rows))
    head = format_html_join("", "<th>{}</th>", ((_title(key),) for key in rows[0]))
    body = format_html_join("", "<tr>{}</tr>", ((_cells(row, timezone),) for row in rows))
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, body)


def _cells(row: Mapping[str, object], timezone: str) -> SafeString:
    return format_html_join("", '<td dir="auto">{}</td>', ((_words(value, timezone),) for value in row.values()))


def _inside(value: object, timezone: str) -> SafeString | str:
    return _shown(value, timezone) if isinstance(value, Mapping | list) else _words(value, timezone)


def _words(value: object, timezone: str) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case dt.datetime():
            wall = local(value, timezone)
            return f"{wall.day} {wall:%B %Y, %H:%M:%S}"
        case dt.date():
            return f"{value.day} {value:%B %Y}"
        case _:
            return str(value)


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"
