"""Canaries: words that stand nowhere else, planted in fields, and the forms in which they could get out."""

import base64
import quopri
from collections.abc import Iterable, Mapping
from pathlib import Path

FIELDS = (
    "name", "external", "caregiver", "paused", "cohort", "series", "button", "note", "reply", "urgent", "token", "key",
    "password", "search", "path", "body", "csv", "hook", "fhirpath", "fhiruser", "fhirtoken",
    "fhiranswer", "smtp", "signin", "idempotency", "beat", "maintenance",
)  # fmt: skip
# Letters and digits only, so that URLs, JSON and HTML leave each as it is.
CANARIES = {field: f"Qz7{field}7zQ" for field in FIELDS}
SEALED = ("series", "button", "note", "reply", "urgent", "token", "hook", "fhirtoken", "fhirpath", "beat")
"""Fields that must not be found in the database's own files either."""


def c(field: str) -> str:
    """The canary of this field."""
    return CANARIES[field]


def forms_of(canary: str) -> set[bytes]:
    """The canary in plain, hex, UTF-16, quoted-printable and base64, with any bytes before it."""
    plain = canary.encode()
    found = {plain, plain.hex().encode(), plain.hex().upper().encode(), quopri.encodestring(plain)}
    found |= {canary.encode(code) for code in ("utf-16-le", "utf-16-be")}
    found |= {"".join(f"%{byte:02X}" for byte in plain).encode(), "".join(f"\\u{ord(x):04x}" for x in canary).encode()}
    for shift in range(3):
        # The first and last digits depend on the neighbours.
        whole = base64.b64encode(b"\0" * shift + plain)
        inner = whole[(0, 2, 3)[shift] :].rstrip(b"=")[:-1]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def found_in(data: bytes, fields: Iterable[str] = FIELDS, others: Mapping[str, str] | None = None) -> set[str]:
    """The fields whose canary is in these bytes, in any form and case; and which of the others are."""
    lower, wanted = data.lower(), {field: c(field) for field in fields} | dict(others or {})
    return {
        field
        for field, canary in wanted.items()
        if any(form in data for form in forms_of(canary)) or canary.lower().encode() in lower
    }


def found_below(folder: Path, fields: Iterable[str] = FIELDS) -> dict[str, set[str]]:
    """The files below a folder with the canaries in them."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): found_in(path.read_bytes(), fields) for path in files}
    return {name: fields for name, fields in found.items() if fields}
