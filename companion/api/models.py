"""What the API remembers of a caller: the answer to a creating POST, so that a repeat of it gets the same one."""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
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
    """The answer's ETag; empty where it has none."""
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "key"], name="idempotency_key_once_per_owner")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_calls_by_age")]

    def __str__(self) -> str:
        return str(self.id)
