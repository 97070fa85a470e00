"""The process's numbers for Prometheus, named by its conventions. Each is counted where it happens; health_port.py
shows them.

No label identifies a patient, a clinic or a bot.
"""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

DATABASE_UP: Final = Gauge(
    "companion_database_up", "1 if this process could write to the database at its last heartbeat.", registry=REGISTRY
)
ATTEMPTS: Final = Counter(
    "companion_attempts", "Attempts that ended, by what came of them.", ["outcome"], registry=REGISTRY
)
MESSAGES_SENT: Final = Counter("companion_messages_sent", "Messages that Telegram took.", ["lane"], registry=REGISTRY)
DELIVERY_LAG: Final = Histogram(
    "companion_delivery_lag_seconds",
    "From a Message's due instant to Telegram's yes.",
    ["lane"],
    # Fine steps around the promise (a second), coarse ones where a delay is only "far too late".
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
    registry=REGISTRY,
)
