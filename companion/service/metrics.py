"""This process's numbers for Prometheus, by its naming conventions. Counted where things happen, shown by others.

No label ever holds what a patient, a clinic or a bot could be known by.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

ATTEMPTS: Final = Counter(
    "companion_attempts", "Attempts that ended, by what came of them.", ["outcome"], registry=REGISTRY
)
MESSAGES_SENT: Final = Counter("companion_messages_sent", "Messages that Telegram took.", ["lane"], registry=REGISTRY)
DELIVERY_LAG: Final = Histogram(
    "companion_delivery_lag_seconds",
    "From a Message's due instant to Telegram's yes.",
    ["lane"],
    # Fine around the promise (a second), coarse where only "far too late" matters.
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
    registry=REGISTRY,
)
