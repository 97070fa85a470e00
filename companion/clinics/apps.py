"""Django's name for this room."""

from django.apps import AppConfig


class ClinicsConfig(AppConfig):
    name = "companion.clinics"
    label = "clinics"
