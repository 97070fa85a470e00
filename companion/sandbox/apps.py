"""Django's name for this room."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "companion.sandbox"
    label = "sandbox"
