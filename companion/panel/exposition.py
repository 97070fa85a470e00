"""A clinic's numbers from the database, for Prometheus. service/metrics.py holds the numbers of a process.

No label identifies a patient, a clinic or a bot. An API key sees only the numbers of its clinic.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from companion.clinics.models import Clinic
from companion.panel import judge
from companion.panel.facts import Beat
from companion.panel.finding import STATUSES
from companion.panel.status import PanelStatus
from companion.service.models import Kind


class ClinicNumbers(Collector):
    """A clinic's numbers at one moment, for a registry made for that moment."""

    def __init__(self, clinic: Clinic, status: PanelStatus, beats: Sequence[Beat], *, now: dt.datetime) -> None:
        self._clinic, self._status, self._beats, self._now = clinic, status, beats, now

    def collect(self) -> Iterator[Metric]:
        """Collect all numbers that are known."""
        yield from self._messages()
        yield from self._services()
        yield from self._sending()
        yield from self._measured()

    def _messages(self) -> Iterator[Metric]:
        messages = self._status.messages
        yield _gauge("messages_pending", "Messages that are pending, counted up to 10,000.", messages.pending)
        yield _gauge("messages_due", "Messages that are ready to be sent now, counted up to 10,000.", messages.due)
        yield _gauge(
            "messages_overdue", "Messages ready for 30 seconds or longer, counted up to 10,000.", messages.overdue
        )
        yield _gauge(
            "messages_oldest_overdue_seconds",
            "The seconds since the oldest overdue message was ready; 0: no message is overdue.",
            messages.oldest_overdue_seconds or 0,
        )
        yield _gauge(
            "messages_next_hour", "Messages due within the next hour, counted up to 10,000.", messages.next_hour
        )
        yield _gauge("messages_on_wire", "Messages with an open Attempt whose lease is not over.", messages.on_wire)
        yield _gauge("messages_sent_today", "Messages sent since the clinic's midnight.", messages.sent_today)
        failed = GaugeMetricFamily(
            "companion_messages_failed_last_day", "Messages that failed within 24 hours, by code.", labels=["reason"]
        )
        for failures in self._status.failures:
            failed.add_metric([failures.code], failures.count)
        yield failed

    def _services(self) -> Iterator[Metric]:
        status = self._status
        health = GaugeMetricFamily("companion_health", "1 for the present status, else 0.", labels=["status"])
        for name in STATUSES:
            health.add_metric([name], float(status.status == name))
        yield health
        alive = GaugeMetricFamily("companion_services_alive", "Processes that have sent a heartbeat.", labels=["kind"])
        for kind in Kind:
            alive.add_metric(
                [kind.value], sum(service.kind == kind and service.state == "alive" for service in status.services)
            )
        yield alive
        lost = GaugeMetricFamily(
            "companion_services_lost", "Processes that ended without a clean stop within an hour.", labels=["kind"]
        )
        for kind in Kind:
            lost.add_metric([kind.value], len(judge.lost_of(self._beats, kind, now=self._now)))
        yield lost

    def _sending(self) -> Iterator[Metric]:
        status = self._status
        yield _gauge(
            "patients_unreachable", "Patients who can't be reached, counted up to 10,000.", status.unreachable_patients
        )
        yield _gauge("sending_paused", "1 while sending is paused.", float(self._clinic.sending_paused_at is not None))
        yield _gauge(
            "bot_other_reader",
            "1 while another program or a webhook receives the bot's updates: patients' STOPs may be lost.",
            float(status.telegram.get("other_reader") is not None),
        )
        yield _gauge("bot_rate_per_second", "The bot's Attempts a second, over ten seconds.", status.rate.per_second)
        yield _gauge("bot_rate_limit_per_second", "The bot's limit.", status.rate.limit)

    def _measured(self) -> Iterator[Metric]:
        database, telegram, machine = self._status.database, self._status.telegram, self._status.machine
        known = (
            ("bot_accepted", "1 while Telegram accepts the bot's token.", telegram.get("accepted"), 1),
            ("bot_latency_seconds", "The seconds until Telegram answered getMe.", telegram.get("latency_ms"), 1000),
            ("database_latency_seconds", "The seconds until the database answered.", database.get("latency_ms"), 1000),
            ("database_size_bytes", "The database's size.", database.get("size_bytes"), 1),
            ("backup_age_seconds", "The age of the newest backup.", machine.get("backup_age_seconds"), 1),
            ("disk_free_bytes", "The free bytes on the disk of the data folder.", machine.get("disk_free_bytes"), 1),
            (
                "clock_skew_seconds",
                "The seconds by which a service's clock is ahead of Telegram's Date.",
                machine.get("clock_against_telegram_seconds"),
                1,
            ),
        )
        for name, description, value, unit in known:
            if isinstance(value, bool | int | float):
                yield _gauge(name, description, value / unit)


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(f"companion_{name}", description, value=float(value))
