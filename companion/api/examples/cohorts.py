"""Examples of the reference page: cohorts, and pauses of many patients."""

from typing import Final

from companion.api.examples.clinic import ANA, COHORT_ID, JsonObject

NEW_COHORT: Final[JsonObject] = {"name": "Diabetes"}
COHORT: Final[JsonObject] = {"id": COHORT_ID, "name": "Diabetes", "size": 12}
COHORTS: Final[JsonObject] = {"items": [COHORT], "next": None}
PLACES: Final[JsonObject] = {"add": [ANA], "remove": []}
NEW_PAUSES: Final[JsonObject] = {
    "patients": [ANA],
    "paused_until": "2027-03-03",
    "paused_reason": "In hospital",
}
PAUSES: Final[JsonObject] = {"paused": 1, "refused": []}
