"""The import of a CSV file of patients: the form, and the report with each refused row."""

from typing import BinaryIO, Final, NamedTuple, cast

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from companion.api.limits import hold
from companion.clinics.models import Role
from companion.clinics.refusals import Refused
from companion.patients.importing import import_csv
from companion.service.clock import database_now
from companion.service.slots import LONG
from companion.web.access import PageRequest, page


class Column(NamedTuple):
    """A column of the file: its name, and words that explain it."""

    name: str
    words: str
    required: bool = False


COLUMNS: Final = (
    Column("external_id", "the patient's id in your system", required=True),
    Column("name", "as you would write it", required=True),
    Column("telegram_id", "a number; an invitation can add it later"),
    Column("birth_date", "1980-12-24"),
    Column("phone", "to tell namesakes apart"),
    Column("caregiver", "whose phone it is, if not the patient's"),
    Column("timezone", "Europe/Berlin; your clinic's if empty"),
    Column("language", "de"),
    Column("cohorts", "Diabetes|Tuesday group"),
)
SHOWN: Final = 200
"""The largest number of refused rows that the page lists."""


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def import_file(request: PageRequest) -> HttpResponse:
    """Import the valid rows, and list the refused rows by their lines. A second import of a file changes nothing."""
    context: dict[str, object] = {"columns": COLUMNS}
    if request.method == "GET":
        return render(request, "patients/import.html", context)
    file = request.FILES.get("file")
    if file is None:
        return render(request, "patients/import.html", context | {"error": "Choose a file first."}, status=422)
    try:
        hold(request, LONG, request.caller)
        report = import_csv(request.caller, cast("BinaryIO", file.file), now=database_now())
    except Refused as refusal:
        return render(request, "patients/import.html", context | {"error": refusal.problems[0].message}, status=422)
    refused = report.refused[:SHOWN]
    context |= {"report": report, "refused": refused, "unlisted": len(report.refused) - len(refused)}
    return render(request, "patients/import.html", context)
