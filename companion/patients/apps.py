"""Django's name for this room."""

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "companion.patients"
    label = "patients"
