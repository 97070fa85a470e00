"""The Heartbeat: a service's proof of life in the database. Who is alive and what that means is judged in panel/."""

from django.db import models


class Kind(models.TextChoices):
    """The services."""

    WEB = "web", "Web"
    DISPATCHER = "dispatcher", "Dispatcher"
    LISTENER = "listener", "Listener"


class Heartbeat(models.Model):
    """One running process. Its row goes when the process stops cleanly, and else after a day without a beat.

    It belongs to no clinic: a process serves them all.
    """

    id = models.UUIDField(primary_key=True)
    """UUIDv7, made by the process when it starts."""
    kind = models.CharField(max_length=16, choices=Kind)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    version = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    health_url = models.CharField(max_length=300)
    """Where its own /health and /metrics are, without a slash at the end."""
    state = models.JSONField(default=dict)
    """What the process says of itself: small numbers and words, never a text, a name or a token."""

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=Kind.values), name="service_heartbeat_kind_known")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pid} on {self.host}"
