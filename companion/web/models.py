"""What the pages keep for a member between two visits: drafts of the planning form. Nothing that is planned is here."""

from django.db import models

from companion.clinics.keys import new_id
from companion.clinics.models import Clinic, Member
from companion.clinics.sealed import SealedField
from companion.schedules.models import Schedule


class Draft(models.Model):
    """One planning form as it stood when it was last saved, for the member who typed it and nobody else.

    `schedule` is the series that it changes (none: a new message). `planned` is what came of it: the form is then over,
    and is remembered only so that it is not planned a second time.
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
