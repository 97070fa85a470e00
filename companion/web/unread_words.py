"""Sentences in the members' sessions that the next page is going to show ("Ana Silva was saved.")."""

from typing import Final

from django.contrib.auth import SESSION_KEY
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.models import Session

from companion.clinics.models import Member
from companion.rights.copies import Erased

_WAITING: Final = SessionStorage.session_key


def forget_erased(erased: Erased) -> None:
    """Delete the sentences that wait for members of the clinic: they may name the erased patient."""
    members = {str(user) for user in Member.objects.filter(clinic=erased.clinic).values_list("user_id", flat=True)}
    for session in Session.objects.iterator(500):
        data = session.get_decoded()
        if data.get(SESSION_KEY) in members and data.pop(_WAITING, None):
            session.session_data = Session.objects.encode(data)
            session.save(update_fields=["session_data"])
