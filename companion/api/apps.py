"""Django's name for this room."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "companion.api"
    label = "api"

    def ready(self) -> None:
        """Forget the kept answers that name an erased patient, and old answers."""
        from companion.api import idempotency
        from companion.rights import copies
        from companion.service import old_rows

        copies.forget_by(idempotency.forget)
        old_rows.drop_by(idempotency.drop_old)
