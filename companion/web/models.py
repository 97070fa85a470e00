"""Drafts of the planning form, kept for a member between two visits; and the table of Django's cache.

Plans are not stored here.
"""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, Member
from companion.clinics.sealed import SealedField
from companion.schedules.models import Schedule


class Draft(models.Model):
    """A planning form as it was last saved. Only the member who typed it can see it.

    `schedule` is the series that the form changes; it is empty for a new message. `planned` is the schedule that was
    made from the form. A planned form is kept only so that pressing its button a second time plans nothing.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    schedule = models.ForeignKey(Schedule, models.CASCADE, null=True, related_name="+")
    planned = models.ForeignKey(Schedule, models.CASCADE, null=True, related_name="+")
    values = SealedField("web.Draft.values")
    """JSON: the form's fields, as typed."""
    saved_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["clinic", "saved_at"], name="drafts_by_age")]

    def __str__(self) -> str:
        return str(self.id)


class CacheEntry(models.Model):
    """An entry of Django's cache, as JSON (json_cache.py). allauth remembers used codes there for some minutes."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache_entries"

    def __str__(self) -> str:
        return self.cache_key


class Tries(models.Model):
    """The number of tries of one group (account/backoff.py). The key is a hash, so the row names nobody."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    until = models.DateTimeField()
    """The time until which the next try is refused unchecked."""
    last_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
