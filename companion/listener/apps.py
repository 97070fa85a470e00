"""Django's name for this room."""

from django.apps import AppConfig


class ListenerConfig(AppConfig):
    name = "companion.listener"
    label = "listener"
