"""The Restoration: a note that an older copy has replaced this database."""

from django.db import models

from companion.clinics.ids import new_id


class Restoration(models.Model):
    """A restore. It belongs to no clinic, because a database is restored for all clinics."""

    id = models.UUIDField(primary_key=True, default=new_id)
    taken_at = models.DateTimeField()
    """The instant at which the copy was taken. The database doesn't know what happened from then until `at`."""
    at = models.DateTimeField()
    drill = models.BooleanField(default=False, db_default=False)
    """True if the database was restored for a drill. Then it must never reach anybody."""
    all_known = models.BooleanField(default=False, db_default=False)
    """True if the Journals record all that was sent. Otherwise a Message that was sent early may be sent again."""
    held = models.PositiveIntegerField()
    """The number of Messages that were held because they may have been sent before the restore."""

    class Meta:
        indexes = [models.Index(fields=["-at"], name="restorations_by_time")]

    def __str__(self) -> str:
        return f"of {self.taken_at} at {self.at}"
