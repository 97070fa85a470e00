"""The tables of a clinic's source of patients and of the syncs' reports. Settings are sealed, since they contain
passwords.
"""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import SealedField


class SourceKind(models.TextChoices):
    """The kinds of sources."""

    CSV = "csv", "CSV file"
    SQL = "sql", "Database (SQL)"
    FHIR = "fhir", "FHIR R4 server"


class RunState(models.TextChoices):
    """The states of a sync."""

    RUNNING = "running", "Under way"
    DONE = "done", "Done"
    SOURCE_DOWN = "source_down", "The source could not be read whole: nothing was changed"
    ENDED = "ended", "Ended midway; the next sync begins where the last complete sync began"


class PatientSource(models.Model):
    """A clinic's source."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="patient_source")
    kind = models.CharField(max_length=8, choices=SourceKind)
    settings = SealedField("patients.PatientSource.settings")
    """JSON, which configuration.py writes and reads."""
    every = models.DurationField()
    reached = models.CharField(max_length=100, blank=True, default="")
    """The point in the source's own time up to which all is read (source.py, Point); empty: nothing yet."""
    whole_at = models.DateTimeField(null=True)
    """The last time at which all rows were read, not only changed rows."""
    next_at = models.DateTimeField()
    running_until = models.DateTimeField(null=True)
    """The end of a running sync's hold on the source."""
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="sources_by_next_sync")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class SyncRun(models.Model):
    """The report of one sync."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="sync_runs", db_index=False)
    kind = models.CharField(max_length=8, choices=SourceKind)
    state = models.CharField(max_length=16, choices=RunState, default=RunState.RUNNING)
    whole = models.BooleanField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    detail = models.CharField(max_length=300, blank=True, default="")
    """The reason for a failure, for people."""
    reasons = SealedField("patients.SyncRun.reasons")
    """JSON: the first refused rows, as [place, reason]; they name patients' ids."""
    touched = SealedField("patients.SyncRun.touched", null=True)
    """JSON: the first patients added, changed and left, as [external id, changes]."""

    class Meta:
        indexes = [models.Index(fields=["clinic", "-began_at"], name="sync_runs_by_time")]

    def __str__(self) -> str:
        return str(self.id)
