"""The process's numbers for Prometheus, named by its conventions. health_port.py shows them.

The code where an event happens counts it. No label identifies a patient, a clinic or a bot.
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
    "companion_attempts", "Attempts that ended, by their outcome.", ["outcome"], registry=REGISTRY
)
MESSAGES_SENT: Final = Counter(
    "companion_messages_sent", "Messages that Telegram accepted.", ["lane"], registry=REGISTRY
)
DELIVERY_LAG: Final = Histogram(
    "companion_delivery_lag_seconds",
    "The time from a Message's due instant until Telegram accepted it.",
    ["lane"],
    # Fine steps around the promised second, coarse steps for long delays.
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
    registry=REGISTRY,
)
