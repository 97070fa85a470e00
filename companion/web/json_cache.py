"""A backend for Django's cache that stores JSON in the database. All web processes share it.

Django's own backend stores pickles: a person who can write to the database could run code in the web process by them.
"""

import datetime as dt
import json
from typing import Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import IntegrityError, transaction
from django.utils import timezone

from companion.web.models import CacheEntry

_NEVER: Final = dt.datetime.max.replace(microsecond=0, tzinfo=dt.UTC) - dt.timedelta(days=2)


class JsonCache(BaseCache):
    """The rows of CacheEntry. Only values that JSON knows can be stored; others raise TypeError."""

    def __init__(self, _location: str, params: dict[str, object]) -> None:
        super().__init__(params)

    def get(self, key: str, default: object = None, version: int | None = None) -> object:
        """Read a value. A value that is no JSON, from an older version of the product, counts as missing."""
        own = self.make_and_validate_key(key, version=version)
        stored = CacheEntry.objects.filter(pk=own, expires__gte=timezone.now()).values_list("value", flat=True).first()
        try:
            return default if stored is None else json.loads(stored)
        except (ValueError, RecursionError):
            return default

    def add(self, key: str, value: object, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store a value if there is none. Of two processes that add at the same moment, one gets False."""
        own = self.make_and_validate_key(key, version=version)
        _forget_old_ones()
        try:
            with transaction.atomic():
                CacheEntry.objects.create(pk=own, value=json.dumps(value), expires=self._until(timeout))
        except IntegrityError:
            return False
        return True

    def set(self, key: str, value: object, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Store a value."""
        own = self.make_and_validate_key(key, version=version)
        _forget_old_ones()
        new = {"value": json.dumps(value), "expires": self._until(timeout)}
        CacheEntry.objects.update_or_create(pk=own, defaults=new)

    def touch(self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Let a value last longer."""
        present = CacheEntry.objects.filter(
            pk=self.make_and_validate_key(key, version=version), expires__gte=timezone.now()
        )
        return bool(present.update(expires=self._until(timeout)))

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove a value."""
        removed, _ = CacheEntry.objects.filter(pk=self.make_and_validate_key(key, version=version)).delete()
        return bool(removed)

    def clear(self) -> None:
        """Remove all values."""
        CacheEntry.objects.all().delete()

    def _until(self, timeout: float | None) -> dt.datetime:
        at = self.get_backend_timeout(timeout)
        return _NEVER if at is None else dt.datetime.fromtimestamp(at, tz=dt.UTC)


def _forget_old_ones() -> None:
    CacheEntry.objects.filter(expires__lt=timezone.now()).delete()
