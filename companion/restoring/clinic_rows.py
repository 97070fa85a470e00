"""The rows of one clinic in all tables, found through the models' foreign keys, so that no new table is forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from companion.clinics.models import Clinic


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of clinics."""

    model: type[models.Model]
    path: str
    """The way from a row to its clinic, as a filter names it ("schedule__clinic")."""

    def rows(self, clinic: Clinic) -> models.QuerySet[Any]:  # Any: each table is of another model
        """The clinic's rows."""
        return self.model._base_manager.filter(**{self.path: clinic.pk})


@cache
def tables() -> tuple[Table, ...]:
    """The tables, those with the longest way first: each is found only as long as the rows on its way are there.

    A table that outlives its clinic, such as the audit trail, is not among them.
    """
    found: dict[type[models.Model], str] = {Clinic: "pk"}
    while new := dict(_one_step_further(found)):
        found |= new
    return tuple(sorted((Table(*one) for one in found.items()), key=_order))


def _one_step_further(found: dict[type[models.Model], str]) -> Iterator[tuple[type[models.Model], str]]:
    for model in apps.get_models(include_auto_created=True):
        if model in found:
            continue
        for field in _keys(model):
            parent = found.get(field.related_model)
            if parent is not None:
                yield model, field.name if field.related_model is Clinic else f"{field.name}__{parent}"
                break


def _keys(model: type[models.Model]) -> list[Any]:  # Any: Django's foreign keys, of any two models
    """The foreign keys, those to a clinic first. A key that does nothing when its row goes outlives it."""
    keys = [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is not models.DO_NOTHING
    ]
    return sorted(keys, key=lambda field: field.related_model is not Clinic)


def _order(table: Table) -> tuple[bool, int, str]:
    return table.model is Clinic, -table.path.count("__"), table.model._meta.label
