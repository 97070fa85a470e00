"""Sentences and forms in the members' sessions that may name a patient.

The next page is going to show the sentences ("Ana Silva was saved."). A form waits for a proof of identity.
"""

import datetime as dt
from typing import Final

from django.contrib.auth import SESSION_KEY
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.models import Session

from companion.clinics.models import Member
from companion.rights.copies import Erased

_WAITING: Final = SessionStorage.session_key


def drop_expired(now: dt.datetime) -> None:
    """Delete the sessions that are over, with their sentences. A sign-in does so, too."""
    Session.objects.filter(expire_date__lt=now).delete()


def forget_erased(erased: Erased) -> None:
    """Delete sentences that wait for members of the clinic, since they may name the erased patient, and the forms that
    do.
    """
    # Imported here: only an erasure needs it, and each process imports this file at its start.
    from companion.web.account.proof import FORM, waiting_form

    members = {str(user) for user in Member.objects.filter(clinic=erased.clinic).values_list("user_id", flat=True)}
    for session in Session.objects.iterator(500):
        data = session.get_decoded()
        if data.get(SESSION_KEY) not in members:
            continue
        words = data.pop(_WAITING, None)
        form = data.pop(FORM) if erased.is_named_in(waiting_form(data)) else None
        if words or form:
            session.session_data = Session.objects.encode(data)
            session.save(update_fields=["session_data"])
