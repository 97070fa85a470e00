"""Django's name for this room."""

from django.apps import AppConfig


class PanelConfig(AppConfig):
    name = "companion.panel"
    label = "panel"
