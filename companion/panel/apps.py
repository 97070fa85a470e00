"""Django's configuration of this app."""

import datetime as dt

from django.apps import AppConfig


class PanelConfig(AppConfig):
    name = "companion.panel"
    label = "panel"

    def ready(self) -> None:
        """Let the listener delete old Notices."""
        from companion.service import old_rows

        old_rows.drop_by(_drop_old_notices)


def _drop_old_notices(now: dt.datetime) -> None:
    # Imported here: each process imports this file at its start, and only the listener deletes.
    from companion.panel import notices

    notices.drop_old(now)
