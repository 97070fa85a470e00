"""All that the database holds, as text: every table as it is stored, and every sealed field opened."""

from collections.abc import Iterator

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Model


def everything_stored() -> str:
    """Each value of each row of each table, stored and opened."""
    return "\n".join((*stored(), *_opened(), *_sessions()))


def stored() -> Iterator[str]:
    """Each row of each table, as it is stored."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield f"{table}: {[_text(value) for value in row]}"


def _opened() -> Iterator[str]:
    for model in apps.get_models():
        for row in model._default_manager.all().iterator():
            assert isinstance(row, Model)
            yield f"{model._meta.label}: {[_text(field.value_from_object(row)) for field in row._meta.concrete_fields]}"


def _sessions() -> Iterator[str]:
    for session in Session.objects.all():
        yield f"session: {session.get_decoded()}"


def _text(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("latin-1")
    return str(value)
