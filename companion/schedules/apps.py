"""Django's name for this room."""

from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "companion.schedules"
    label = "schedules"
