"""The Restoration: a note that an older copy has replaced this database."""

from django.db import models

from companion.clinics.ids import new_id


class Restoration(models.Model):
    """A restore. A restore belongs to no clinic, since a database is restored for all of them."""

    id = models.UUIDField(primary_key=True, default=new_id)
    taken_at = models.DateTimeField()
    """The instant at which the copy was taken. The database doesn't know what happened from then until `at`."""
    at = models.DateTimeField()
    drill = models.BooleanField(default=False, db_default=False)
    """True if the database was restored for a drill; then it never reaches anybody."""
    all_known = models.BooleanField(default=False, db_default=False)
    """True if the Journals told of everything that had left. Otherwise a Message that was sent early goes again."""
    held = models.PositiveIntegerField()
    """The number of Messages that were held because they may have been sent before the restore."""

    class Meta:
        indexes = [models.Index(fields=["-at"], name="restorations_by_time")]

    def __str__(self) -> str:
        return f"of {self.taken_at} at {self.at}"
