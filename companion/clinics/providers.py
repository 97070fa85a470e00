"""People who sign in by their clinic's sign-in service. The claims of the service give them their role.

Such a person has a separate account, found by the service's id for the person (`sub`). The account has no password and
opens only this clinic: the operator of a clinic's service could claim any e-mail address there.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import QuerySet

from companion.clinics import account_mail, accounts, audit
from companion.clinics.access import Caller
from companion.clinics.members import ROLE_CHANGED, caller_of_member
from companion.clinics.models import Clinic, Member, Role
from companion.clinics.provider_file import Provider, verified_email

_MARK: Final = "oidc:"
"""The beginning of these accounts' names. No e-mail address begins with it, so nobody can sign in by a password."""
_NAME_LENGTH: Final = 150


class Stranger(Exception):
    """The person gets no role in this clinic."""


def provider_of(clinic: Clinic) -> Provider | None:
    """The clinic's sign-in service, or None."""
    provider: Provider | None = settings.OIDC_PROVIDERS.get(clinic.slug)
    return provider


def comes_by_provider(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the person can sign in only by a clinic's sign-in service."""
    return user.get_username().startswith(_MARK)


@transaction.atomic
def member_for(clinic: Clinic, provider: Provider, claims: Mapping[str, object], *, now: dt.datetime) -> Member:
    """Return the member whom the service's claims describe, created if there is none. Raises Stranger.

    If a member of this clinic with the same address signed in by a password before, this is the same member.
    """
    role, subject = provider.role_of(claims), claims.get("sub")
    if role is None or not isinstance(subject, str) or not subject:
        raise Stranger
    known = User.objects.filter(username=_account(clinic, provider, subject)).first()
    called_before = _called(known) if known else {}
    user = _user(clinic, provider, subject, claims)
    members = Member.objects.select_related("clinic", "user").filter(clinic=clinic)
    member = members.filter(user=user).first() or _before(members, user, claims, now=now)
    if member is None:
        member = Member.objects.create(clinic=clinic, user=user, role=role, created_at=now, joined_at=now)
        added: audit.Changes = {"role": [None, role]}
        audit.record(
            _service(clinic), "member came by the sign-in service", "member", member.id, now=now, changes=added
        )
    elif known and (renamed := audit.differences(called_before, _called(user))):
        # The trail names people by these values, so it must show when the service changed them.
        act = "name or address changed by the sign-in service"
        audit.record(_service(clinic), act, "member", member.id, now=now, changes=renamed)
    if member.role != role:
        changed: audit.Changes = {"role": [member.role, role]}
        member.role = role
        member.save(update_fields=["role"])
        audit.record(_service(clinic), ROLE_CHANGED[Role(role)], "member", member.id, now=now, changes=changed)
        account_mail.changed(member, f"Your role in {clinic.name} is now {role}, by the clinic's sign-in service.")
    return member


@transaction.atomic
def refused(clinic: Clinic, provider: Provider, claims: Mapping[str, object], *, now: dt.datetime) -> None:
    """Record that a person without a role was refused, and end the person's earlier sessions."""
    user = User.objects.filter(username=_account(clinic, provider, claims.get("sub"))).first()
    if user:
        accounts.end_sessions(user)
    audit.record(_service(clinic), "stranger turned away", "clinic", clinic.id, now=now, changes=audit.NO_VALUE)


def too_weak(clinic: Clinic, *, now: dt.datetime) -> None:
    """Record that a person was refused because the service didn't confirm the demanded kind of sign-in."""
    audit.record(
        _service(clinic), "sign-in without the demanded strength", "clinic", clinic.id, now=now, changes=audit.NO_VALUE
    )


def _user(clinic: Clinic, provider: Provider, subject: str, claims: Mapping[str, object]) -> User:
    known_as = _account(clinic, provider, subject)
    user, _ = User.objects.get_or_create(username=known_as, defaults={"password": "!"})
    # Lists and the audit trail name people by it, so it must not be empty.
    email = _text(claims.get("email")) or _text(claims.get("preferred_username")) or _text(subject)
    first, last = _text(claims.get("given_name")), _text(claims.get("family_name"))
    if (user.email, user.first_name, user.last_name) != (email, first, last):
        user.email, user.first_name, user.last_name = email, first, last
        user.save(update_fields=["email", "first_name", "last_name"])
    return user


def _called(user: User) -> dict[str, object]:
    return {"name": user.get_full_name(), "email": user.email}


def _account(clinic: Clinic, provider: Provider, subject: object) -> str:
    """The name of the account that the service's subject has in the clinic."""
    whole = f"{clinic.id}\n{provider.issuer}\n{subject}".encode(errors="replace")
    return _MARK + hashlib.sha256(whole).hexdigest()


def _before(members: QuerySet[Member], user: User, claims: Mapping[str, object], *, now: dt.datetime) -> Member | None:
    """Find the person's earlier membership in this clinic, and give it to the account of the service."""
    known = accounts.of_address(verified_email(claims))
    member = members.filter(user__in=known, joined_at__isnull=False).first()
    if member:
        changes = {"signs in by": ["password", "sign-in service"]}
        by = caller_of_member(member)
        audit.record(by, "member moved to the sign-in service", "member", member.id, now=now, changes=changes)
        account_mail.changed(member, "You now sign in by the clinic's sign-in service, and no longer by a password.")
        member.user = user
        member.save(update_fields=["user"])
    return member


def _service(clinic: Clinic) -> Caller:
    return Caller(clinic, "service", None, "sign-in service", Role.VIEWER)


def _text(value: object) -> str:
    read = value.strip() if isinstance(value, str) else ""
    return read[:_NAME_LENGTH] if read.isprintable() else ""
