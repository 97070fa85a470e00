"""Examples of the reference page: patient sources and the reports of their syncs."""

from typing import Final

from companion.api.examples.clinic import JsonObject

NEW_PATIENT_SOURCE: Final[JsonObject] = {
    "kind": "fhir",
    "url": "https://fhir.hospital.example/r4",
    "token": "…",
    "identifier_system": "urn:oid:2.999.1",
    "every_minutes": 60,
}
PATIENT_SOURCE: Final[JsonObject] = {
    "id": "0192f0c0-33aa-7ccc-8ddd-0d1e2f3a4b55",
    "kind": "fhir",
    "place": "https://fhir.hospital.example/r4",
    "every_minutes": 60,
    "next_at": "2026-12-01T10:00:00Z",
    "working": False,
}
PATIENT_SOURCES: Final[JsonObject] = {"items": [PATIENT_SOURCE], "next": None}
NO_PATIENT_SOURCES: Final[JsonObject] = {"items": [], "next": None}
_RUN: Final[JsonObject] = {
    "id": "0192f0c0-44aa-7ccc-8ddd-0d1e2f3a4b66",
    "kind": "fhir",
    "state": "done",
    "whole": False,
    "began_at": "2026-12-01T09:00:00Z",
    "ended_at": "2026-12-01T09:00:04Z",
    "added": 0,
    "changed": 1,
    "unchanged": 3,
    "left": 0,
    "refused": 1,
    "detail": "",
}
SYNC_RUNS: Final[JsonObject] = {"items": [_RUN], "next": None}
SYNC_RUN: Final[JsonObject] = {
    **_RUN,
    "touched": [{"external_id": "P-1001", "what": "name, phone"}],
    "refusals": [{"place": "Patient/77", "reason": "It has no identifier of the system that you named."}],
}
