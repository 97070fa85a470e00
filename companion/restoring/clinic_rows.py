"""Find the rows of one clinic in all tables, through the models' foreign keys, so that no new table is forgotten."""

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
    """The path from a row to its clinic, as in a filter ("schedule__clinic")."""

    def rows(self, clinic: Clinic) -> models.QuerySet[Any]:  # Any: each table is of another model
        """Return the clinic's rows."""
        return self.model._base_manager.filter(**{self.path: clinic.pk})


@cache
def tables() -> tuple[Table, ...]:
    """Return the tables in the order in which they can be emptied: those with the longest path come first.

    A table whose rows outlive their clinic, such as the audit trail, is left out.
    """
    paths: dict[type[models.Model], str] = {Clinic: "pk"}
    while new := dict(_one_step_further(paths)):
        paths |= new
    return tuple(sorted((Table(model, path) for model, path in paths.items()), key=_order))


def _one_step_further(paths: dict[type[models.Model], str]) -> Iterator[tuple[type[models.Model], str]]:
    """Yield the models that have a foreign key to a model of `paths` and aren't in it yet, with their paths."""
    for model in apps.get_models(include_auto_created=True):
        if model in paths:
            continue
        for field in _keys(model):
            parent_path = paths.get(field.related_model)
            if parent_path is not None:
                yield model, field.name if field.related_model is Clinic else f"{field.name}__{parent_path}"
                break


def _keys(model: type[models.Model]) -> list[Any]:  # Any: Django's foreign keys, of any two models
    """Return the model's foreign keys, those to a clinic first. Rows with a DO_NOTHING key outlive the row it names, so
    such keys are left out.
    """
    keys = [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is not models.DO_NOTHING
    ]
    return sorted(keys, key=lambda field: field.related_model is not Clinic)


def _order(table: Table) -> tuple[bool, int, str]:
    return table.model is Clinic, -table.path.count("__"), table.model._meta.label
