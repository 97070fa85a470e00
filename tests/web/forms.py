"""A page's form as a browser sends it: every field with the page's value, or with a person's new value."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.test import Client


@dataclass
class Form:
    """A form's address (empty if it names none) and its fields."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Collect the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = self._text = ""
        self._chosen: list[str] = []
        self._options: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(told.get("action", ""))
            self.forms.append(self._open)
        elif tag == "select":
            self._select, self._chosen, self._options = told.get("name", ""), [], []
        elif tag == "option":
            (self._chosen if "selected" in told else self._options).append(told.get("value", ""))
        elif tag == "textarea":
            self._text = told.get("name", "")
            self._put(self._text, "")
        elif tag == "input" and (told.get("type") not in ("checkbox", "radio") or "checked" in told):
            self._put(told.get("name", ""), told.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._text and self._open:
            self._open.fields[self._text][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            # Without a chosen option, a browser sends the first.
            self._put(self._select, (self._chosen or self._options or [""])[0])
        elif tag == "textarea":
            self._text = ""

    def _put(self, name: str, value: str) -> None:
        if name and self._open:
            self._open.fields.setdefault(name, []).append(value)


def form_in(page: str, field: str, action: str = "") -> dict[str, list[str]]:
    """Read the page's form that has this field (and this address)."""
    reader = _Reader()
    reader.feed(page)
    found = [form for form in reader.forms if field in form.fields and (not action or form.action == action)]
    assert found, f"no form with {field}"
    return found[0].fields


def opened(client: Client, path: str, field: str, action: str = "") -> dict[str, list[str]]:
    """Open the page, and read its form."""
    return form_in(client.get(path).content.decode(), field, action)


def sent(fields: dict[str, list[str]], **typed: str | list[str]) -> dict[str, object]:
    """Build the request's fields: a person types some anew; an empty list leaves a field out."""
    return {**fields, **typed}
