"""Ninja's API, which answers a body of many wrong values without a finding for each of them."""

from typing import Any, Final

from ninja import NinjaAPI
from ninja.errors import ValidationError, ValidationErrorContext

from companion.clinics.refusals import Problem, Refused

_MOST_FINDINGS: Final = 1000
"""Each finding takes a kilobyte and ten microseconds, and a body of 2 MB may hold a million wrong values."""


class BoundedAPI(NinjaAPI):
    """Ninja's API with a limit for findings."""

    def validation_error_from_error_contexts(
        self,
        error_contexts: list[ValidationErrorContext[Any]],  # Any: as ninja passes them
    ) -> ValidationError:
        """Return the findings of pydantic. Raises Refused with their number alone if there are too many."""
        found = sum(context.pydantic_validation_error.error_count() for context in error_contexts)
        if found > _MOST_FINDINGS:
            raise Refused(Problem("body", f"{found:,} values are wrong. Compare the body with the API's description."))
        return super().validation_error_from_error_contexts(error_contexts)
