"""Django's name for this room."""

from django.apps import AppConfig


class RestoringConfig(AppConfig):
    name = "companion.restoring"
    label = "restoring"
