"""Pydantic's findings in our words: a Problem for each, which names the field as the API does."""

from collections.abc import Callable, Iterable, Mapping

from companion.clinics.refusals import Problem

Finding = Mapping[str, object]


def problems_of(findings: Iterable[Finding]) -> list[Problem]:
    """Return a Problem for each finding of a parameter, a body or a file."""
    return [Problem(_field(finding), _message(finding)) for finding in findings]


def _field(finding: Finding) -> str:
    location = finding["loc"]
    parts = list(location) if isinstance(location, tuple) else []
    # The first part says where the value stands (query, body, …). In a body the second part is a name in our code.
    named = parts[2:] if parts[:1] == ["body"] else parts[1:]
    return ".".join(str(part) for part in named) or str(parts[0] if parts else "body")


def _message(finding: Finding) -> str:
    context = finding.get("ctx")
    values = context if isinstance(context, Mapping) else {}
    kind = str(finding["type"])
    if kind.startswith("too_") and values.get("field_type") == "Value":
        # Pydantic calls a text a "Value" if one of our validators runs before the check of its length.
        kind = "string_" + kind
    for beginning, words in _WORDS.items():
        if kind.startswith(beginning):
            return words(values)
    return "This value is not accepted."


def _counted(number: object, noun: str, plural: str) -> str:
    return f"{number} {noun if number == 1 else plural}"


def _fixed(sentence: str) -> Callable[[Mapping[str, object]], str]:
    return lambda _: sentence


_WORDS: dict[str, Callable[[Mapping[str, object]], str]] = {
    "missing": _fixed("This is needed."),
    "extra_forbidden": _fixed("There is no such field."),
    "value_error": lambda values: str(values.get("error", "This value is not accepted.")),
    "string_too_short": lambda values: f"At least {_counted(values['min_length'], 'character', 'characters')}.",
    "string_too_long": lambda values: f"At most {_counted(values['max_length'], 'character', 'characters')}.",
    "string_pattern_mismatch": _fixed("This value doesn't have the form that the API's description gives."),
    "string_unicode": _fixed("The text holds half a character, which can't be stored. Remove it."),
    "string": _fixed("Write text."),
    "int": _fixed("Write a whole number."),
    "bool": _fixed("Write true or false."),
    "too_long": lambda values: f"At most {_counted(values['max_length'], 'entry', 'entries')}.",
    "too_short": lambda values: f"At least {_counted(values['min_length'], 'entry', 'entries')}.",
    "list": _fixed("Write a list."),
    "literal_error": lambda values: f"Choose one of {values['expected']}.",
    "enum": lambda values: f"Choose one of {values['expected']}.",
    "greater_than": lambda values: f"At least {values.get('ge', values.get('gt'))}.",
    "less_than": lambda values: f"At most {values.get('le', values.get('lt'))}.",
    "model": _fixed("Write an object."),
    "dict": _fixed("Write an object."),
}
"""Sentences by the beginning of pydantic's error type (docs.pydantic.dev, "Validation Errors"), the longest first."""
