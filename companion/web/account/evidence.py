"""Sign-ins, failures and changes of passwords go into the audit trail of each clinic that the person has joined."""

from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import transaction
from django.http import HttpRequest

from companion.clinics import account_mail, audit
from companion.clinics.access import Caller
from companion.clinics.members import caller_of_member
from companion.clinics.models import Member, Role
from companion.service.clock import database_now


def connect() -> None:
    """Listen to Django's and allauth's signals."""
    user_logged_in.connect(_signed_in)
    user_login_failed.connect(_failed)
    for signal in (password_changed, password_set, password_reset):
        signal.connect(_password_changed)


def _signed_in(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    _record(user, "signed in")


def _password_changed(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    with transaction.atomic():
        _record(user, "password changed")
        account_mail.password_changed(user)


def _failed(sender: object, credentials: dict[str, object], **_: object) -> None:
    """Note a wrong password of a known account. Nobody knows who typed it, so the entry names no person as actor."""
    typed = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    if not typed.isprintable():
        return
    user = User.objects.filter(username=typed).first()
    for member in _joined(user) if user else []:
        caller = Caller(member.clinic, "service", None, "sign-in page", Role.VIEWER)
        audit.record(caller, "sign-in failed", "member", member.id, now=database_now())


def _record(user: User, action: str) -> None:
    for member in _joined(user):
        audit.record(caller_of_member(member), action, "member", member.id, now=database_now())


def _joined(user: User) -> list[Member]:
    return list(Member.objects.filter(user=user, joined_at__isnull=False).select_related("clinic", "user"))
