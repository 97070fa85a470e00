"""The error sentences that a form shows beside its fields."""

from companion.clinics.refusals import Refused


def by_field(refusal: Refused | None, part: str = "") -> dict[str, str]:
    """Return the sentence of each refused field; empty without a refusal.

    `part` names a form of a page with several forms, and begins the names of its fields: "bot_token". A sentence about
    one value of a field with several values ("cohorts.0") stands beside the field.
    """
    begin, problems = f"{part}_" if part else "", refusal.problems if refusal else ()
    return {f"{begin}{problem.field.partition('.')[0]}": problem.message for problem in problems}
