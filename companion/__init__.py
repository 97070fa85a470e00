"""AI Companion Scheduler: plans messages to patients and delivers them by Telegram."""

from typing import Final

PRODUCT: Final = "AI Companion Scheduler"
