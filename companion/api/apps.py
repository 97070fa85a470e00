"""Django's name for this room."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "companion.api"
    label = "api"

    def ready(self) -> None:
        """Forget the kept answers that name an erased patient."""
        from companion.api import idempotency
        from companion.rights import copies

        copies.forget_by(idempotency.forget)
