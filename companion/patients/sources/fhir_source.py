"""A FHIR R4 server as a source: a search for Patient, page after page (hl7.org/fhir/R4/patient.html, search.html).

What a page holds is read by fhir_patient.py. The token goes to the one server that it was given for, and nowhere else.
"""

import datetime as dt
import json
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import IO, Final, TypeGuard

from django.conf import settings

from companion.clinics.refusals import Problem, Refused
from companion.patients.sources.fhir_patient import DEFAULT_TELEGRAM, TelegramAt, read_patient
from companion.patients.sources.source import OVERLAP, Found, Point, SourceDown
from companion.service import addresses

PAGE_SIZE: Final = 200
SECONDS: Final = 30.0
PAGE_BYTES: Final = 32 * 2**20
PAGES: Final = 100_000
"""More than that is a server whose pages have no end."""


@dataclass(frozen=True, slots=True)
class FhirSettings:
    """The server's base address, and where in a Patient things stand."""

    url: str
    token: str = field(default="", repr=False)
    identifier_system: str = ""
    """Which identifier is our external id; empty: the resource's own id."""
    telegram: TelegramAt = DEFAULT_TELEGRAM
    anywhere: bool = True
    """Set by whoever runs the server, who may name any machine; else by a clinic's admin, who may not."""


def read_settings(
    url: str, token: str, identifier_system: str = "", telegram: str = "", anywhere: bool = True
) -> FhirSettings:
    """Raises Refused with what is wrong. A token needs https, but to this machine itself."""
    parts = urllib.parse.urlsplit(url.strip())
    plain = parts.scheme == "http" and (not token or parts.hostname in ("127.0.0.1", "localhost", "::1"))
    if not parts.hostname or parts.query or parts.fragment or parts.username or not (plain or parts.scheme == "https"):
        sentence = (
            "Give the server's base address, like https://fhir.hospital.example/r4 (https, where it has a token)."
        )
        raise Refused(Problem("url", sentence))
    if not token.isascii() or any(char.isspace() for char in token):
        raise Refused(Problem("token", "A bearer token has no spaces."))
    where = TelegramAt(telegram) if telegram else DEFAULT_TELEGRAM
    return FhirSettings(url.strip().rstrip("/"), token, identifier_system, where, anywhere)


def _may_be_reached(ip: addresses.Address) -> bool:
    if addresses.on_the_internet(ip):
        return True
    return settings.COMPANION.fhir_private_networks or (settings.SANDBOX_ON and ip.is_loopback)


def _judged(connection: HTTPConnection) -> socket.socket:
    try:
        return addresses.connected(connection.host, connection.port, _may_be_reached, seconds=SECONDS)
    except addresses.NoWay as no:
        raise SourceDown(f"The FHIR server can't be asked: {no}. {_ELSE}") from None


_ELSE: Final = "Whoever runs this server can set it by the command `companion patients source fhir`."


class _JudgedHttp(HTTPConnection):
    """http to an address that was judged."""

    def connect(self) -> None:
        self.sock = _judged(self)


class _JudgedHttps(HTTPConnection):
    """https to an address that was judged."""

    default_port = 443

    def connect(self) -> None:
        self.sock = ssl.create_default_context().wrap_socket(_judged(self), server_hostname=self.host)


class _JudgingHttp(urllib.request.HTTPHandler):
    """Instead of urllib's own."""

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_JudgedHttp, req)


class _JudgingHttps(urllib.request.HTTPSHandler):
    """Instead of urllib's own."""

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_JudgedHttps, req)


class FhirSource:
    """One reading follows the pages to the last."""

    def __init__(self, own: FhirSettings) -> None:
        self._settings: Final = own
        # No proxy of the environment stands between what is judged and what is asked.
        judging = () if own.anywhere else (_JudgingHttp, _JudgingHttps, urllib.request.ProxyHandler({}))
        self._opener: Final = urllib.request.build_opener(_NoRedirect, *judging)

    def read_all(self) -> Iterator[Found]:
        """Every Patient."""
        return self._pages({})

    def read_changed_since(self, point: Point) -> Iterator[Found]:
        """Those whose meta.lastUpdated is not before the point."""
        if not isinstance(point, dt.datetime):
            return self._pages({})
        since = (point - OVERLAP).astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._pages({"_lastUpdated": f"ge{since}"})

    def _pages(self, wanted: dict[str, str]) -> Iterator[Found]:
        query = urllib.parse.urlencode({"_count": str(PAGE_SIZE), "_sort": "_lastUpdated"} | wanted)
        url: str | None = f"{self._settings.url}/Patient?{query}"
        seen: set[str] = set()
        promised = received = 0
        while url:
            if url in seen or len(seen) > PAGES:
                raise SourceDown("The FHIR server's pages have no end. Nothing was changed.")
            seen.add(url)
            bundle = self._get(url)
            entries = bundle.get("entry", [])
            if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset" or not _objects(entries):
                raise SourceDown("The FHIR server's answer is no list of patients. Nothing was changed.")
            total = bundle.get("total")
            promised = total if isinstance(total, int) and len(seen) == 1 else promised
            for entry in entries:
                for found in self._entry(entry):
                    received += 1
                    yield found
            url = self._next(bundle, url)
        if received < promised:
            raise SourceDown("The FHIR server gave fewer patients than it promised. Nothing was changed.")

    def _entry(self, entry: dict[str, object]) -> Iterator[Found]:
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            raise SourceDown("The FHIR server's answer has an entry without its resource. Nothing was changed.")
        if resource.get("resourceType") == "OperationOutcome" and _is_error(resource):
            raise SourceDown("The FHIR server says that its answer is not whole. Nothing was changed.")
        if resource.get("resourceType") == "Patient":
            own = self._settings
            yield read_patient(resource, identifier_system=own.identifier_system, telegram=own.telegram)

    def _next(self, bundle: dict[str, object], current: str) -> str | None:
        """The next page's address, which must be the same server's."""
        links = bundle.get("link", [])
        if not _objects(links):
            raise SourceDown("The FHIR server's links can't be read. Nothing was changed.")
        to = next((link.get("url") for link in links if link.get("relation") == "next"), None)
        if to is None:
            return None
        url = urllib.parse.urljoin(current, str(to))
        if urllib.parse.urlsplit(url)[:2] != urllib.parse.urlsplit(self._settings.url)[:2]:
            raise SourceDown("The FHIR server's next page lies on another server. Nothing was changed.")
        return url

    def _get(self, url: str) -> dict[str, object]:
        headers = {"Accept": "application/fhir+json", "User-Agent": "companion"}
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        # http and https only: read_settings and _next see to it.
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 (as said above)
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                body = answer.read(PAGE_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise SourceDown(_STATUSES.get(error.code, f"The FHIR server answers with {error.code}.")) from None
        except (OSError, HTTPException, ssl.SSLError) as error:
            raise SourceDown(f"The FHIR server does not answer ({type(error).__name__}).") from None
        try:
            bundle = json.loads(body) if len(body) <= PAGE_BYTES else None
        except ValueError:
            bundle = None
        if not isinstance(bundle, dict):
            raise SourceDown("The FHIR server's answer can't be read. Nothing was changed.")
        return bundle


_STATUSES: Final = {
    401: "The FHIR server refuses the token. Give a new one.",
    403: "The FHIR server does not let this token read patients.",
    404: "There is no FHIR server at this address.",
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would take the token along to wherever it is sent."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        return None


def _objects(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _is_error(outcome: dict[str, object]) -> bool:
    issues = outcome.get("issue", [])
    return _objects(issues) and any(issue.get("severity") in ("error", "fatal") for issue in issues)
