"""The Restoration: a note that this database was once replaced by an older copy of itself."""

from django.db import models

from companion.clinics.ids import new_id


class Restoration(models.Model):
    """One restore. It belongs to no clinic: a database is restored for all of them."""

    id = models.UUIDField(primary_key=True, default=new_id)
    taken_at = models.DateTimeField()
    """When the copy was taken: the database knows nothing of what happened from then until `at`."""
    at = models.DateTimeField()
    drill = models.BooleanField(default=False, db_default=False)
    """The database is a drill's: it is looked at and tried, and reaches nobody, ever."""
    held = models.PositiveIntegerField()
    """How many Messages were held since they may have been sent before."""

    class Meta:
        indexes = [models.Index(fields=["-at"], name="restorations_by_time")]

    def __str__(self) -> str:
        return f"of {self.taken_at} at {self.at}"
