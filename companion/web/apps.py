"""Django's configuration of this app."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "companion.web"
    label = "web"

    def ready(self) -> None:
        """Listen to sign-ins, erasures and merges, once Django has loaded its models."""
        from companion.rights import copies
        from companion.service import old_rows
        from companion.web import unread_words
        from companion.web.account import evidence
        from companion.web.planning import kept_drafts

        evidence.connect()
        copies.forget_by(kept_drafts.forget_erased)
        copies.forget_by(unread_words.forget_erased)
        copies.move_by(kept_drafts.follow_merge)
        old_rows.drop_by(kept_drafts.drop_old)
        old_rows.drop_by(unread_words.drop_expired)
