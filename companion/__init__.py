"""AI Companion Scheduler: plans messages to patients and delivers them by Telegram."""
