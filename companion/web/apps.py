"""Django's configuration of this app."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "companion.web"
    label = "web"

    def ready(self) -> None:
        """Listen to sign-ins, once Django's models are there."""
        from companion.web.account import evidence

        evidence.connect()
