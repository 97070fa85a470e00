"""First steps: a checklist for a new clinic. It disappears for good when the first message is planned."""

from dataclasses import dataclass

from django.urls import reverse

from companion.clinics.models import Bot, Clinic
from companion.patients.models import Patient
from companion.schedules.models import Message, Schedule


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the checklist."""

    title: str
    detail: str
    address: str
    button: str
    done: bool


def first_steps(clinic: Clinic) -> list[Step]:
    """List the steps to the first message, done and not done; no steps once a message was planned."""
    if Message.objects.filter(clinic=clinic).exists() or Schedule.objects.filter(clinic=clinic).exists():
        return []
    return [
        Step(
            "Say who you are",
            "Your clinic's name, country and time zone, and the number for urgent help.",
            reverse("set_up"),
            "Set up the clinic",
            clinic.set_up_at is not None,
        ),
        Step(
            "Connect a Telegram bot",
            "The bot writes to your patients.",
            f"{reverse('settings')}#bot",
            "Connect a bot",
            Bot.objects.filter(clinic=clinic).exists(),
        ),
        Step(
            "Add your patients",
            "From a CSV file, or one by one.",
            reverse("patients_import"),
            "Import a file",
            Patient.objects.filter(clinic=clinic).exists(),
        ),
        Step("Plan a message", "Once, or repeatedly.", reverse("planning"), "New message", False),
    ]
