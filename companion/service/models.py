"""The Heartbeat, a service's proof of life in the database, and the ids of the secret keys that sealed data there.

panel/ judges which services are alive.
"""

from django.db import models


class Kind(models.TextChoices):
    """The services."""

    WEB = "web", "Web"
    DISPATCHER = "dispatcher", "Dispatcher"
    LISTENER = "listener", "Listener"


class Heartbeat(models.Model):
    """A running process. A clean stop removes the row; otherwise it is removed after a day without a heartbeat.

    The row belongs to no clinic, because a process serves all clinics.
    """

    id = models.UUIDField(primary_key=True)
    """A UUIDv7 that the process makes when it starts."""
    kind = models.CharField(max_length=16, choices=Kind)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    version = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    health_url = models.CharField(max_length=300)
    """The base address of the process's /health and /metrics, without a slash at the end."""
    state = models.JSONField(default=dict)
    """The process's report on itself: small numbers and words, never a text, a name or a token."""

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=Kind.values), name="service_heartbeat_kind_known")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pid} on {self.host}"


class UsedKey(models.Model):
    """The id of a secret key that sealed or hashed values in this database. The key itself is never stored here.

    `companion keys drop` removes the row when no value needs the key.
    """

    id = models.CharField(primary_key=True, max_length=12)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.id
