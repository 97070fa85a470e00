"""Django's name for this room."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "companion.web"
    label = "web"
