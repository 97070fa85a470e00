"""`GET /metrics` of the web service, with the numbers of the key's clinic; and its probes `/healthz` and `/readyz`."""

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from ninja.errors import AuthenticationError, HttpError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from companion.api.auth import caller_of
from companion.api.problems import answer_to
from companion.clinics import known_keys
from companion.clinics.access import NotAllowed
from companion.clinics.models import Clinic
from companion.panel import facts
from companion.panel.exposition import ClinicNumbers
from companion.panel.status import status
from companion.service.clock import database_now
from companion.service.metrics import DATABASE_UP, REGISTRY
from companion.service.outages import is_outage
from companion.service.slots import Busy


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics. Every role may read them.

    While the database can't be reached, a key that this process accepted before gets the numbers of this process alone,
    with `companion_database_up 0`.
    """
    key_used = request.headers.get("Authorization", ""), request.META["REMOTE_ADDR"]
    try:
        text = _of_clinic(caller_of(request).clinic)
    except (AuthenticationError, NotAllowed) as error:
        known_keys.forget(*key_used)
        return answer_to(error)
    except (HttpError, Busy) as error:
        return answer_to(error)
    except Error as error:
        if not is_outage(error) or not known_keys.is_known(*key_used):
            raise
        DATABASE_UP.set(0)
        return _text(generate_latest(REGISTRY))
    known_keys.remember(*key_used)
    return _text(generate_latest(REGISTRY) + text)


def _of_clinic(clinic: Clinic) -> bytes:
    now = database_now()
    registry = CollectorRegistry()
    registry.register(ClinicNumbers(clinic, status(clinic, now=now), facts.beats(now=now), now=now))
    return generate_latest(registry)


def _text(text: bytes) -> HttpResponse:
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """Answer `GET /healthz`: this process is alive.

    It asks no other part of the system: an outage there is no reason to restart this process.
    """
    return _plain("alive", 200)


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer `GET /readyz`: 200 if the database answers and has all its tables, else 503."""
    try:
        loader = MigrationLoader(connection)
    except Error:
        return _plain("the database can't be reached", 503)
    if loader.graph.nodes.keys() - loader.applied_migrations.keys():
        return _plain("the database lacks tables: run companion migrate", 503)
    return _plain("ready", 200)


def _plain(words: str, code: int) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=code, content_type="text/plain; charset=utf-8")
