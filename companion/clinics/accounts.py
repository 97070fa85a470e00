"""A person's account, which may belong to several clinics: find it, and end every way into it."""

from typing import Final

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from companion.clinics import audit
from companion.clinics.models import KnownDevice

SHUT: Final[audit.Changes] = dict.fromkeys(("password", "second steps", "sessions"), audit.CHANGED)
"""The changes that the audit trail shows of an account that was shut."""


def of_address(email: str) -> QuerySet[User]:
    """The account that signs in with this address, or none."""
    address = email.strip().lower()
    # No e-mail address holds a NUL character, and PostgreSQL refuses a query with it.
    return User.objects.filter(username=address) if address.isprintable() else User.objects.none()


def opens_by_itself(user: User) -> bool:
    """Return whether the person can sign in without a link, or sees more than clinics: then no admin gets a link."""
    return user.has_usable_password() or user.is_staff or Authenticator.objects.filter(user_id=user.pk).exists()


def shut(user: User) -> None:
    """End every way into the account: password, second factors, passkeys, recovery codes, sessions, known devices."""
    user.set_unusable_password()
    user.save(update_fields=["password"])
    Authenticator.objects.filter(user_id=user.pk).delete()
    KnownDevice.objects.filter(user=user).delete()
    end_sessions(user)


def end_sessions(user: User, *, but: str | None = None) -> int:
    """Sign the person out everywhere but in the session of the key `but`. Returns the number of ended sessions."""
    sessions = UserSession.objects.filter(user_id=user.pk).exclude(session_key=but or "")
    Session.objects.filter(session_key__in=list(sessions.values_list("session_key", flat=True))).delete()
    ended: int = sessions.delete()[0]
    return ended
