"""People who come by their clinic's own sign-in service: a member with the role that the service's words give.

Such a person has a separate account, known by the service's name for the person. The account has no password and
opens this clinic alone: the operator of a clinic's service could claim any e-mail address there.
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

from companion.clinics import accounts, audit
from companion.clinics.access import Caller
from companion.clinics.members import ROLE_CHANGED, caller_of_member
from companion.clinics.models import Clinic, Member, Role
from companion.clinics.provider_file import Provider, verified_email

_MARK: Final = "oidc:"
"""The beginning of these accounts' names. No e-mail address begins so, so nobody signs in to them by a password."""
_NAME_LENGTH: Final = 150


class Stranger(Exception):
    """The person gets no role in this clinic."""


def provider_of(clinic: Clinic) -> Provider | None:
    """The clinic's own sign-in service."""
    found: Provider | None = settings.OIDC_PROVIDERS.get(clinic.slug)
    return found


def comes_by_provider(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the account belongs to a clinic's sign-in service, which alone opens it."""
    return user.get_username().startswith(_MARK)


@transaction.atomic
def member_for(clinic: Clinic, provider: Provider, claims: Mapping[str, object], *, now: dt.datetime) -> Member:
    """The member whom the service's words describe; made if there is none. Raises Stranger.

    A member of this clinic with the same address, who came by a password before, becomes this person.
    """
    role, subject = provider.role_of(claims), claims.get("sub")
    if role is None or not isinstance(subject, str) or not subject:
        raise Stranger
    user = _user(clinic, provider, subject, claims)
    members = Member.objects.select_related("clinic", "user").filter(clinic=clinic)
    member = members.filter(user=user).first() or _before(members, user, claims, now=now)
    if member is None:
        member = Member.objects.create(clinic=clinic, user=user, role=role, created_at=now, joined_at=now)
        told: audit.Changes = {"role": [None, role]}
        audit.record(_service(clinic), "member came by the sign-in service", "member", member.id, now=now, changes=told)
    if member.role != role:
        told = {"role": [member.role, role]}
        member.role = role
        member.save(update_fields=["role"])
        audit.record(_service(clinic), ROLE_CHANGED[Role(role)], "member", member.id, now=now, changes=told)
    return member


@transaction.atomic
def refused(clinic: Clinic, provider: Provider, claims: Mapping[str, object], *, now: dt.datetime) -> None:
    """Record that a person without a role was turned away, and end what sessions they have from before."""
    user = User.objects.filter(username=_account(clinic, provider, claims.get("sub"))).first()
    if user:
        accounts.end_sessions(user)
    audit.record(_service(clinic), "stranger turned away", "clinic", clinic.id, now=now, changes=audit.NO_VALUE)


def _user(clinic: Clinic, provider: Provider, subject: str, claims: Mapping[str, object]) -> User:
    known_as = _account(clinic, provider, subject)
    user, _ = User.objects.get_or_create(username=known_as, defaults={"password": "!"})
    email = _text(claims.get("email")) or _text(claims.get("preferred_username"))
    first, last = _text(claims.get("given_name")), _text(claims.get("family_name"))
    if (user.email, user.first_name, user.last_name) != (email, first, last):
        user.email, user.first_name, user.last_name = email, first, last
        user.save(update_fields=["email", "first_name", "last_name"])
    return user


def _account(clinic: Clinic, provider: Provider, subject: object) -> str:
    """The name of the account that the service's subject has in the clinic."""
    whole = f"{clinic.id}\n{provider.issuer}\n{subject}".encode(errors="replace")
    return _MARK + hashlib.sha256(whole).hexdigest()


def _before(members: QuerySet[Member], user: User, claims: Mapping[str, object], *, now: dt.datetime) -> Member | None:
    """Give the membership of before to the account of the service, which speaks for everybody in this clinic."""
    known = accounts.of_address(verified_email(claims))
    member = members.filter(user__in=known, joined_at__isnull=False).first()
    if member:
        told = {"signs in by": ["password", "sign-in service"]}
        by = caller_of_member(member)
        audit.record(by, "member moved to the sign-in service", "member", member.id, now=now, changes=told)
        member.user = user
        member.save(update_fields=["user"])
    return member


def _service(clinic: Clinic) -> Caller:
    return Caller(clinic, "service", None, "sign-in service", Role.VIEWER)


def _text(value: object) -> str:
    read = value.strip() if isinstance(value, str) else ""
    return read[:_NAME_LENGTH] if read.isprintable() else ""
