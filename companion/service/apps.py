"""Django's name for this room, because of its one table."""

from django.apps import AppConfig


class ServiceConfig(AppConfig):
    name = "companion.service"
    label = "service"
