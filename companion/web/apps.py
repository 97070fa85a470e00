"""Django's configuration of this app."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "companion.web"
    label = "web"
