"""Sealing all values again with the key in use, while services run; and counting the values that need another key.

The sealed columns are found by looking through all models. A batch is one short transaction, and an UPDATE changes a
value only if it is still the value that was read. If the process is killed, nothing is lost: sealed values hold the id
of their key, so the next run continues with the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import BinaryField, Case, CharField, Count, F, Model, Q, QuerySet, When
from django.db.models.functions import Cast, Substr

from companion.clinics import second_factors
from companion.clinics.models import OptOut
from companion.clinics.opt_outs import chat_of
from companion.clinics.sealed import (
    HEAD_BYTES,
    WITHOUT_ID,
    CannotOpen,
    KeyedHashField,
    SealedBytesField,
    SealedField,
    key_of,
    reseal,
    sealed_now,
)
from companion.service.key_ring import key_of_hash, ring

BATCH: Final = 500
"""The rows of a batch: so few that on SQLite the services wait only for some hundredths of a second."""
BEFORE_IDS: Final = ""
"""The id for the unknown key of values from before keys had ids."""
SECOND_FACTORS: Final = "second factors of sign-ins"
_Field: TypeAlias = "SealedField[str, str] | SealedBytesField"
_Row: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A model's sealed columns."""

    model: type[Model]
    fields: tuple[_Field, ...]

    @property
    def name(self) -> str:
        """The model as people read it: "schedules.Attempt"."""
        return self.model._meta.label


class Step(NamedTuple):
    """The results of a batch."""

    name: str
    sealed: int
    """Rows that were sealed again."""
    unopened: int
    """Rows with a value that no known key opens."""


Tell: TypeAlias = Callable[[Step], None]


def sealed_models() -> list[Sealed]:
    """All models with sealed columns."""
    models = sorted(apps.get_models(include_auto_created=True), key=lambda model: model._meta.label)
    found = [(model, tuple(_sealed_fields(model))) for model in models]
    return [Sealed(model, fields) for model, fields in found if fields]


def needed() -> dict[str, Counter[str]]:
    """The number of values that each key has sealed or hashed, by the key's id and then by the name of the table."""
    found: dict[str, Counter[str]] = {}
    for sealed in sealed_models():
        for field in sealed.fields:
            for head, count in _by_head(sealed.model, field):
                found.setdefault(key_of(head), Counter())[sealed.name] += count
    for key in second_factors.keys_of_secrets():
        found.setdefault(key, Counter())[SECOND_FACTORS] += 1
    for model, column in _hash_columns():
        rows = model._base_manager.order_by().values_list(column, flat=True)
        for stored in rows.exclude(**{column: ""}).iterator(chunk_size=2000):
            found.setdefault(key_of_hash(stored), Counter())[model._meta.label] += 1
    for model in _models_that_name_keys():
        counted = model._base_manager.exclude(key_id="").order_by().values_list("key_id").annotate(Count("pk"))
        for key, count in counted:
            found.setdefault(key, Counter())[model._meta.label] += count
    return found


def reseal_all(tell: Tell) -> int:
    """Seal all values again that another key has sealed. Returns the number of rows that no known key opens."""
    unopened = 0
    for sealed in sealed_models():
        while True:
            steps = list(_pass(sealed, tell))
            if not any(step.sealed for step in steps):
                break
            # The next pass finds rows that this pass left out because a service had locked them.
        unopened += sum(step.unopened for step in steps)
    for opened in second_factors.reseal_secrets():
        tell(Step(SECOND_FACTORS, int(opened), int(not opened)))
        unopened += not opened
    _rehash_chats(tell)
    return unopened


def _sealed_fields(model: type[Model]) -> Iterator[_Field]:
    for field in model._meta.concrete_fields:
        if isinstance(field, SealedField | SealedBytesField):
            yield field


def _hash_columns() -> Iterator[tuple[type[Model], str]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, KeyedHashField):
                yield model, field.name


def _models_that_name_keys() -> Iterator[type[Model]]:
    """The models with a column `key_id`. Their hashes can only be checked with the key that made them."""
    for model in apps.get_models():
        if any(field.name == "key_id" and isinstance(field, CharField) for field in model._meta.concrete_fields):
            yield model


def _by_head(model: type[Model], field: _Field) -> list[tuple[bytes, int]]:
    """The heads of the column's values, which name their key, and the number of values with each head."""
    raw, bare = Cast(field.name, BinaryField()), BinaryField()
    whole = Substr(raw, 1, HEAD_BYTES, output_field=bare)
    named = Case(When(first=WITHOUT_ID, then=F("first")), default=whole, output_field=bare)
    rows = model._base_manager.exclude(**{field.name: None}).order_by()
    heads = rows.annotate(first=Substr(raw, 1, 1, output_field=bare)).annotate(head=named).values("head")
    return [(bytes(row["head"]), row["count"]) for row in heads.annotate(count=Count("*"))]


def _pass(sealed: Sealed, tell: Tell) -> Iterator[Step]:
    """Go once through the model's rows in the order of their primary keys."""
    after: object = None
    while True:
        # On PostgreSQL the rows are locked before they are sealed, and locked rows are skipped, so that a dispatcher
        # and this command never wait for each other. On SQLite no other process can write while the batch is written.
        with _locks():
            rows = list(_stale(sealed, after)[:BATCH])
            changed = [values for row in rows if (values := _anew(sealed, row))]
            with transaction.atomic():
                _write(sealed, changed)
        if not rows:
            return
        after = rows[-1]["pk"]
        step = Step(sealed.name, len(changed), len(rows) - len(changed))
        tell(step)
        yield step


def _locks() -> AbstractContextManager[object]:
    return transaction.atomic() if connection.vendor == "postgresql" else nullcontext()


def _stale(sealed: Sealed, after: object) -> "QuerySet[Model, dict[str, object]]":
    """The rows after this primary key with a value that another key has sealed, as they are stored."""
    now, bare, stale = sealed_now(), BinaryField(), Q()
    rows = sealed.model._base_manager.order_by("pk")
    bound = {name for field in sealed.fields if isinstance(field, SealedBytesField) for name in field.bound_to}
    for field in sealed.fields:
        raw = Cast(field.name, BinaryField())
        rows = rows.annotate(
            **{f"raw_{field.name}": raw, f"head_{field.name}": Substr(raw, 1, HEAD_BYTES, output_field=bare)}
        )
        # The comparison is "smaller or greater", since "not equal" would also find empty columns.
        stale |= Q(**{f"head_{field.name}__lt": now}) | Q(**{f"head_{field.name}__gt": now})
    if after is not None:
        rows = rows.filter(pk__gt=after)
    if connection.vendor == "postgresql":
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return rows.filter(stale).values("pk", *bound, *(f"raw_{field.name}" for field in sealed.fields))


def _anew(sealed: Sealed, row: _Row) -> list[object] | None:
    """Seal a row's values again, and return the parameters of `_write` for it; None if a value can't be opened."""
    before = [_stored(row[f"raw_{field.name}"]) for field in sealed.fields]
    try:
        new = [
            None if value is None else reseal(value, _purpose(field, row))
            for field, value in zip(sealed.fields, before, strict=True)
        ]
    except CannotOpen:
        return None
    return [*new, sealed.model._meta.pk.get_db_prep_value(row["pk"], connection), *before]


def _stored(value: object) -> bytes | None:
    return None if value is None else bytes(value)  # type: ignore[call-overload]  # bytes or a memoryview


def _purpose(field: _Field, row: _Row) -> str:
    if isinstance(field, SealedField):
        return field.purpose
    return field.purpose_of(*(row[name] for name in field.bound_to))


def _write(sealed: Sealed, changed: Sequence[Sequence[Any]]) -> None:
    """Write the new values. A row that somebody has changed since it was read is left as it is."""
    if not changed:
        return
    quote = connection.ops.quote_name
    columns = [quote(str(field.column)) for field in sealed.fields]
    table, key = quote(sealed.model._meta.db_table), quote(str(sealed.model._meta.pk.column))
    new = ", ".join(f"{column} = %s" for column in columns)
    same = " AND ".join(f"{column} IS NOT DISTINCT FROM %s" for column in columns)
    with connection.cursor() as cursor:
        # One statement for the whole batch, which also compares empty columns. A queryset would build a statement for
        # each row. The names in the statement are those of our tables and columns.
        cursor.executemany(f"UPDATE {table} SET {new} WHERE {key} = %s AND {same}", changed)  # noqa: S608


def _rehash_chats(tell: Tell) -> None:
    """Hash the chats again whose Telegram ID is known. The others keep their key."""
    mine = f"{ring().in_use.id}."
    for row in OptOut.objects.exclude(chat__startswith=mine).exclude(telegram_id=None).iterator(chunk_size=BATCH):
        same, chat = OptOut.objects.filter(pk=row.pk, chat=row.chat), chat_of(row.telegram_id or 0)
        try:
            with transaction.atomic():
                same.update(chat=chat)
        except IntegrityError:
            # The chat sent STOP again at the same time, so there is a row with the new hash.
            same.delete()
        tell(Step(OptOut._meta.label, 1, 0))
