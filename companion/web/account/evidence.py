"""Record each act on an account in the audit trail of every clinic that the person has joined, and mail the person."""

from typing import Final

import structlog
from allauth.account.signals import authentication_step_completed, password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed, authenticator_reset
from allauth.usersessions.models import UserSession
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest

from companion.clinics import account_mail, accounts, audit
from companion.clinics.access import Caller
from companion.clinics.members import CAME_BY, caller_of_member, came_by_link
from companion.clinics.models import Member, Role
from companion.clinics.proofs import PROVED
from companion.clinics.second_factors import is_the_only_one
from companion.service.clock import database_now
from companion.web.account import devices, proof

log = structlog.stdlib.get_logger(__name__)
_DAY: Final = 86_400
"""Seconds between two e-mails to a person about failed sign-ins, at least."""
_FACTORS: Final = {"totp": "authenticator app", "webauthn": "passkey", "recovery_codes": "recovery codes"}


def connect() -> None:
    """Listen to Django's and allauth's signals."""
    user_logged_in.connect(_signed_in)
    user_login_failed.connect(_failed)
    for signal in (password_changed, password_set, password_reset):
        signal.connect(_password_changed)
    authentication_step_completed.connect(_proved)
    authenticator_added.connect(_factor_added)
    authenticator_removed.connect(_factor_removed)
    authenticator_reset.connect(_codes_made_anew)
    authentication_failed.connect(_second_step_failed)


def _factor_added(sender: object, request: HttpRequest, user: User, authenticator: Authenticator, **_: object) -> None:
    _factors_changed(user, f"{_FACTORS[authenticator.type]} added")
    if is_the_only_one(authenticator):
        # The other sessions began with a password or a link alone. A clinic that requires a second step must not be
        # opened by them.
        with transaction.atomic():
            if accounts.end_sessions(user, but=request.session.session_key):
                record(user, "sessions ended")


def _factor_removed(sender: object, user: User, authenticator: Authenticator, **_: object) -> None:
    _factors_changed(user, f"{_FACTORS[authenticator.type]} removed")


def _codes_made_anew(sender: object, user: User, authenticator: Authenticator, **_: object) -> None:
    _factors_changed(user, f"{_FACTORS[authenticator.type]} made anew")


def _factors_changed(user: User, change: str) -> None:
    with transaction.atomic():
        record(user, change, changed="second steps")
        account_mail.factors_changed(user, f"{change.capitalize()}.")


def _second_step_failed(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    _record_failure(request, user, "second step failed", "The second step of a sign-in to your account")


def record(user: AbstractBaseUser | AnonymousUser, action: str, *, changed: str = "") -> None:
    """Record an act of the person on their account. `changed` names the secret that was changed."""
    changes = {changed: audit.CHANGED} if changed else audit.NO_VALUE
    for member in _joined(user):
        audit.record(caller_of_member(member), action, "member", member.id, now=database_now(), changes=changes)


def session_over(user: AbstractBaseUser | AnonymousUser, why: str) -> None:
    """Record that a session ended, and why: "session ended without activity"."""
    record(user, f"session {why}")


def _signed_in(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    now = database_now()
    with transaction.atomic():
        proof.begin(request, now=now)
        # Make the row of the session here, because not every sign-in goes through allauth.
        request.user = user
        UserSession.objects.create_from_request(request)
        known = devices.is_known(request, user)
        devices.remember(request, user, now=now)
        record(user, "signed in")
        # A person who signs in by a link has got an e-mail about the link already.
        if not known and not came_by_link(request.session.get(CAME_BY)):
            agent = devices.words_for(request.META.get("HTTP_USER_AGENT", ""))
            account_mail.new_device(user, agent, devices.address_of(request), now=now)


def _proved(sender: object, request: HttpRequest, reauthenticated: bool = False, **_: object) -> None:
    if reauthenticated:
        proof.renew(request)


def _password_changed(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    request.session[PROVED] = database_now().timestamp()
    with transaction.atomic():
        record(user, "password changed", changed="password")
        account_mail.password_changed(user)


def _failed(sender: object, credentials: dict[str, object], request: HttpRequest | None = None, **_: object) -> None:
    """Record a wrong password, or a wrong passkey in place of a password, for a known account."""
    user = accounts.of_address(str(credentials.get("email") or credentials.get("username") or "")).first()
    log.warning("a sign-in failed", account="known" if user else "unknown")
    if user:
        _record_failure(request, user, "sign-in failed", "A sign-in to your account")


def _record_failure(request: HttpRequest | None, user: User, action: str, what: str) -> None:
    """Record a failure. Nobody knows who caused it, so the entry names no person as actor."""
    now = database_now()
    for member in _joined(user):
        caller = Caller(member.clinic, "service", None, "sign-in page", Role.VIEWER)
        audit.record(caller, action, "member", member.id, now=now, changes=audit.NO_VALUE)
    # In a browser that the person has used before, the failure is almost always their own slip.
    if (
        request
        and not devices.is_known(request, user)
        and cache.add(f"{action.replace(' ', '-')}:{user.pk}", "told", _DAY)
    ):
        agent = devices.words_for(request.META.get("HTTP_USER_AGENT", ""))
        account_mail.sign_in_failed(user, what, agent, devices.address_of(request), now=now)


def _joined(user: AbstractBaseUser | AnonymousUser) -> list[Member]:
    return list(Member.objects.filter(user=user.pk or 0, joined_at__isnull=False).select_related("clinic", "user"))
