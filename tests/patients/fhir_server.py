"""A FHIR R4 server of the tests' own, as a process: `python -m tests.patients.fhir_server FILE`. Strict on purpose.

It serves the Patients of FILE (read anew for each search), holds each resource and each answer against FHIR's models
(fhir.resources), refuses what it does not know, and does what "fault" in FILE says. It knows nothing of the product.
"""

import asyncio
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Final, TypedDict

from aiohttp import web
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient

TOKEN: Final = "a-bearer-token"
PAGE: Final = 2
FILE: Final = web.AppKey("file", str)
_KNOWN: Final = {"_count", "_sort", "_lastUpdated", "page"}


class Told(TypedDict):
    """The content of FILE."""

    patients: list[dict[str, object]]
    fault: str
    log: str


def _say(status: int, diagnostics: str) -> web.Response:
    issue = {"severity": "error", "code": "invalid", "diagnostics": diagnostics}
    outcome = OperationOutcome.model_validate({"resourceType": "OperationOutcome", "issue": [issue]})
    return web.Response(status=status, text=outcome.model_dump_json(), content_type="application/fhir+json")


def _updated(patient: Patient) -> dt.datetime:
    assert patient.meta is not None
    at = patient.meta.lastUpdated
    assert isinstance(at, dt.datetime)
    return at


def _read(file: str) -> Told:
    told: Told = json.loads(Path(file).read_text())
    return told


def _note(file: str, line: str) -> None:
    with Path(file).open("a") as log:
        log.write(f"{line}\n")


def _refused(request: web.Request) -> web.Response | None:
    """Return the refusal of a request that is not as the server wants it."""
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return _say(401, "who are you?")
    if request.headers.get("Accept") != "application/fhir+json":
        return _say(406, "only FHIR's own JSON")
    if unknown := set(request.query) - _KNOWN:
        return _say(400, f"no such parameter: {unknown}")
    if not request.query.get("_lastUpdated", "ge").startswith("ge"):
        return _say(400, "only ge")
    return None


async def _drip(request: web.Request) -> None:
    drop = web.StreamResponse()
    await drop.prepare(request)
    while True:
        await drop.write(b" ")
        await asyncio.sleep(0.05)


def _next(request: web.Request, fault: str, page: int) -> str:
    """Return the address of the next page."""
    host = "http://127.0.0.1:9/r4/Patient" if fault == "leads away" else str(request.url.with_query({}))
    if fault == "shouts":
        host = host.replace("http://", "HTTP://")
    since = request.query.get("_lastUpdated")
    return f"{host}?page={page + 1}{'&_lastUpdated=' + since if since else ''}"


def _bundle(found: list[Patient], shown: list[Patient], links: list[dict[str, str]]) -> web.Response:
    entries = [
        {
            "fullUrl": f"urn:uuid:{resource.id}",
            "resource": json.loads(resource.model_dump_json()),
            "search": {"mode": "match"},
        }
        for resource in shown
    ]
    bundle: dict[str, object] = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
    if entries:
        bundle["entry"] = entries
    text = Bundle.model_validate(bundle).model_dump_json()
    return web.Response(text=text, content_type="application/fhir+json")


async def search(request: web.Request) -> web.Response:
    if refused := _refused(request):
        return refused
    told = _read(request.app[FILE])
    fault, page = told["fault"], int(request.query.get("page", "0"))
    if fault == "breaks off" and page > 0:
        return _say(500, "out of order")
    if fault == "drips":
        await _drip(request)
    if fault == "half a page" and page > 0:
        return web.Response(text='{"resourceType": "Bundle", "type":', content_type="application/fhir+json")
    found = [Patient.model_validate(resource) for resource in told["patients"]]
    since = request.query.get("_lastUpdated")
    if since:
        found = [resource for resource in found if _updated(resource) >= dt.datetime.fromisoformat(since[2:])]
    found.sort(key=_updated)
    _note(told["log"], f"{since or 'all'} {page}")
    shown = found[page * PAGE : (page + 1) * PAGE]
    links = [{"relation": "self", "url": str(request.url)}]
    if (page + 1) * PAGE < len(found) and fault != "forgets pages":
        links.append({"relation": "next", "url": _next(request, fault, page)})
    return _bundle(found, shown, links)


async def serve(file: str) -> None:
    app = web.Application()
    app[FILE] = file
    app.router.add_get("/r4/Patient", search)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 (the test reads the port here)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
