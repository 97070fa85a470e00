"""A FHIR R4 server as a source: a search for Patient, page after page (hl7.org/fhir/R4/patient.html, search.html).

fhir_patient.py reads the patients on a page. The token is sent only to the server that it was given for.
"""

import datetime as dt
import json
import ssl
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final, NamedTuple, TypeGuard

from django.conf import settings

from companion.clinics.refusals import Problem, Refused
from companion.patients.sources.fhir_patient import DEFAULT_TELEGRAM, TelegramAt, read_patient
from companion.patients.sources.source import Found, Point, SourceDown, before
from companion.service import addresses
from companion.service.timeouts import cut_off_after

LONGEST: Final[Mapping[str, int]] = {"url": 500, "token": 4000, "identifier_system": 500, "telegram": 500}
PAGE_SIZE: Final = 200
SECONDS: Final = 30.0
ALTOGETHER: Final = 120.0
"""The limit in seconds for one page, even if it arrives slowly byte by byte."""
READING: Final = 3600.0
"""The limit in seconds for all pages, because the syncs of other clinics wait for a slow server."""
PAGE_BYTES: Final = 32 * 2**20
PAGES: Final = 100_000
"""More pages than this mean that the server's pages never end."""


@dataclass(frozen=True, slots=True)
class FhirSettings:
    """The server's base address, its token, and where a Patient's id and Telegram ID are found."""

    url: str
    token: str = field(default="", repr=False)
    identifier_system: str = ""
    """The system of the identifier that is our external id; empty: the resource's own id."""
    telegram: TelegramAt = DEFAULT_TELEGRAM
    anywhere: bool = True
    """True if the server may also be in a private network. Only the operator can set this; a clinic's admin can't."""


def read_settings(
    url: str, token: str, identifier_system: str = "", telegram: str = "", anywhere: bool = True
) -> FhirSettings:
    """Check the settings. Raises Refused with what is wrong. A token needs https, except on this machine itself."""
    given = {"url": url, "token": token, "identifier_system": identifier_system, "telegram": telegram}
    if long := [name for name, value in given.items() if len(value) > LONGEST[name]]:
        raise Refused(*(Problem(name, f"At most {LONGEST[name]:,} characters.") for name in long))
    parts = _parted(url.strip())
    plain = parts.scheme == "http" and (not token or parts.hostname in ("127.0.0.1", "localhost", "::1"))
    if not parts.hostname or parts.query or parts.fragment or parts.username or not (plain or parts.scheme == "https"):
        sentence = (
            "Give the server's base address, like https://fhir.hospital.example/r4 (https, where it has a token)."
        )
        raise Refused(Problem("url", sentence))
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Refused(Problem("token", "A bearer token has no spaces."))
    where = TelegramAt(telegram) if telegram else DEFAULT_TELEGRAM
    return FhirSettings(url.strip().rstrip("/"), token, identifier_system, where, anywhere)


def _parted(url: str) -> urllib.parse.SplitResult:
    """The parts of an address; empty parts if it is malformed."""
    nothing = urllib.parse.SplitResult("", "", "", "", "")
    try:
        parts = urllib.parse.urlsplit(url)
        fits = url.isascii() and url.isprintable() and " " not in url and parts.port != 0
    except ValueError:
        return nothing
    return parts if fits else nothing


class _Server(NamedTuple):
    """The parts of an address that identify a server. Different spellings of the address give the same parts."""

    scheme: str
    host: str
    port: int | None


def _server(url: str) -> _Server | None:
    """The server of an address; None if the text can't be an address of a server."""
    parts = _parted(url)
    if parts.username is not None or not parts.hostname:
        return None
    return _Server(parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme))


def _anywhere(ip: addresses.Address) -> bool:
    return addresses.reach(ip) is not addresses.Reach.NOWHERE


def _as_allowed(ip: addresses.Address) -> bool:
    if addresses.reach(ip) is addresses.Reach.INTERNET:
        return True
    return addresses.near_by(ip, private_networks=settings.COMPANION.fhir_private_networks)


class _Http(HTTPConnection):
    """A connection by http, only to an address that is allowed. `anywhere` is that of the settings."""

    def __init__(self, host: str, port: int | None, *, anywhere: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self.anywhere = anywhere

    def connect(self) -> None:
        may_be_reached = _anywhere if self.anywhere else _as_allowed
        try:
            self.sock = addresses.connected(self.host, self.port, may_be_reached, seconds=SECONDS)
        except addresses.NoWay as no:
            advice = "" if self.anywhere else f" {_ELSE}"
            raise SourceDown(f"The FHIR server can't be reached: {no}.{advice}") from None


class _Https(_Http):
    """A connection by https, only to an address that is allowed."""

    default_port = 443

    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


_ELSE: Final = "The operator of this server can set it by the command `companion patients source fhir`."
_CONNECTIONS: Final[Mapping[str, type[_Http]]] = {"http": _Http, "https": _Https}


def next_page(bundle: Mapping[str, object], current: str, base: str) -> str | None:
    """The address of the next page; None after the last page. Raises SourceDown if it isn't on the server of `base`."""
    links = bundle.get("link", [])
    if not _objects(links):
        raise SourceDown("The FHIR server's links can't be read. Nothing was changed.")
    to = next((link.get("url") for link in links if link.get("relation") == "next"), None)
    if to is None:
        return None
    try:
        url = urllib.parse.urljoin(current, str(to))
    except ValueError:
        url = ""
    if not url or _server(url) != _server(base):
        raise SourceDown("The FHIR server's next page is on another server. Nothing was changed.")
    return url


class _Answer(NamedTuple):
    """An answer of the server, as far as it was read."""

    status: int
    body: bytes


class FhirSource:
    """A FHIR server that is read page by page. `now`, in the clinic's zone, decides which periods have ended."""

    def __init__(self, own: FhirSettings, seconds: float = READING, now: dt.datetime | None = None) -> None:
        self._settings: Final = own
        self._seconds: Final = seconds
        self._now: Final = now or dt.datetime.now(dt.UTC)

    def read_all(self) -> Iterator[Found]:
        """Every Patient."""
        return self._pages({})

    def read_changed_since(self, point: Point) -> Iterator[Found]:
        """The Patients whose meta.lastUpdated is not before the point."""
        if not isinstance(point, dt.datetime):
            return self._pages({})
        since = before(point).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._pages({"_lastUpdated": f"ge{since}"})

    def _pages(self, wanted: dict[str, str]) -> Iterator[Found]:
        query = urllib.parse.urlencode({"_count": str(PAGE_SIZE), "_sort": "_lastUpdated"} | wanted)
        url: str | None = f"{self._settings.url}/Patient?{query}"
        seen: set[str] = set()
        until = time.monotonic() + self._seconds
        while url:
            if time.monotonic() > until:
                raise SourceDown("The FHIR server took far too long for all of its pages. Nothing was changed.")
            if url in seen or len(seen) > PAGES:
                raise SourceDown("The FHIR server's pages have no end. Nothing was changed.")
            seen.add(url)
            bundle = self._get(url)
            entries = bundle.get("entry", [])
            if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset" or not _objects(entries):
                raise SourceDown("The FHIR server's answer is no list of patients. Nothing was changed.")
            # `total` is not used: many servers only estimate it, or count other resources too.
            for entry in entries:
                yield from self._entry(entry)
            url = next_page(bundle, url, self._settings.url)

    def _entry(self, entry: dict[str, object]) -> Iterator[Found]:
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            raise SourceDown("The FHIR server's answer has an entry without its resource. Nothing was changed.")
        if resource.get("resourceType") == "OperationOutcome" and _is_error(resource):
            raise SourceDown("The FHIR server reports that its answer is incomplete. Nothing was changed.")
        if resource.get("resourceType") == "Patient":
            own = self._settings
            yield read_patient(resource, identifier_system=own.identifier_system, telegram=own.telegram, now=self._now)

    def _get(self, url: str) -> dict[str, object]:
        answer = self._ask(url)
        if answer.status != HTTPStatus.OK:
            raise SourceDown(_STATUSES.get(answer.status, f"The FHIR server answers with {answer.status}."))
        try:
            bundle = json.loads(answer.body) if len(answer.body) <= PAGE_BYTES else None
        except (ValueError, RecursionError):
            bundle = None
        if not isinstance(bundle, dict):
            raise SourceDown("The FHIR server's answer can't be read. Nothing was changed.")
        return bundle

    def _ask(self, url: str) -> _Answer:
        """Ask for the status and the body. Redirects are not followed, because they would take the token along."""
        headers = {"Accept": "application/fhir+json", "User-Agent": "companion"}
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        parts = urllib.parse.urlsplit(url)
        connection = _CONNECTIONS[parts.scheme](parts.hostname or "", parts.port, anywhere=self._settings.anywhere)
        try:
            connection.connect()
            with cut_off_after(ALTOGETHER, connection.sock.fileno()):
                connection.request("GET", f"{parts.path or '/'}?{parts.query}", headers=headers)
                answer = connection.getresponse()
                return _Answer(answer.status, answer.read(PAGE_BYTES + 1))
        except (OSError, HTTPException, ValueError, OverflowError) as error:
            # Python's reader of answers raises the last two for a chunk with a negative or a far too large length.
            raise SourceDown(f"The FHIR server does not answer ({type(error).__name__}).") from None
        finally:
            connection.close()


_STATUSES: Final = {
    401: "The FHIR server refuses the token. Give a new token.",
    403: "The FHIR server does not let this token read patients.",
    404: "There is no FHIR server at this address.",
}


def _objects(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and all(isinstance(element, dict) for element in value)


def _is_error(outcome: dict[str, object]) -> bool:
    issues = outcome.get("issue", [])
    return _objects(issues) and any(issue.get("severity") in ("error", "fatal") for issue in issues)
