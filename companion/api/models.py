"""Answers to creating POSTs, kept so that a repeated call gets the same answer; and the calls of each key."""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import ApiKey, Clinic
from companion.clinics.sealed import SealedField


class IdempotentCall(models.Model):
    """A POST with an Idempotency-Key, of one owner (member or key). Kept 24 hours; `status` is null while it runs."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+")
    owner_id = models.UUIDField()
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = SealedField("api.IdempotentCall.answer", null=True)
    tag = models.CharField(max_length=64, blank=True, default="", db_default="")
    """The ETag of the answer; empty if there is none."""
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "key"], name="idempotency_key_once_per_owner")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_calls_by_age")]

    def __str__(self) -> str:
        return str(self.id)


class KeyUse(models.Model):
    """The calls of a key that web processes reserved in the last minute in which the key was used (limits.py)."""

    key = models.OneToOneField(ApiKey, models.CASCADE, primary_key=True, related_name="+")
    minute = models.BigIntegerField()
    """The minute, counted from 1970."""
    used = models.PositiveIntegerField()

    def __str__(self) -> str:
        return str(self.key_id)
