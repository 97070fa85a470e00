"""Operators: the people who run the server and may see the page of all clinics. Only commands make operators."""

import datetime as dt

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.db.models import F, QuerySet

from companion.clinics import account_mail, accounts, audit
from companion.clinics.members import command_line
from companion.clinics.models import Member
from companion.clinics.refusals import Conflict, Unknown


def add(email: str, *, now: dt.datetime) -> Member:
    """Make the person an operator, and return the membership for which the operator hands out a sign-in link.

    Every earlier way into the account ends: an admin of any clinic may have made it and set its password. Raises
    Unknown for a person without a clinic in use, and Conflict for an operator.
    """
    own = Member.objects.filter(user__in=accounts.of_address(email), clinic__archived_at=None)
    member = own.select_related("clinic", "user").order_by(F("joined_at").asc(nulls_last=True)).first()
    if member is None:
        raise Unknown(
            "Nobody of this address is in a clinic. Add the person to a clinic first: `companion member add`."
        )
    user = member.user
    if user.is_staff:
        raise Conflict(f"{user.email} is an operator already. For a new link: `companion member add`.")
    with transaction.atomic():
        accounts.shut(user)
        _set(user, operator=True, more=accounts.SHUT, now=now)
        account_mail.operator_made(user)
    return member


def remove(email: str, *, now: dt.datetime) -> User:
    """Make the person an ordinary member again. Raises Unknown for a person who is no operator."""
    user = accounts.of_address(email).filter(is_staff=True).first()
    if user is None:
        raise Unknown("No operator has this address. `companion operator list` shows the operators.")
    with transaction.atomic():
        _set(user, operator=False, more={}, now=now)
        account_mail.operator_removed(user)
    return user


def all_operators() -> QuerySet[User]:
    """All operators, by their addresses."""
    # `is_staff` is Django's flag for people who administer an installation. No other code here uses it.
    return User.objects.filter(is_staff=True, is_active=True).order_by("username")


def is_operator(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the signed-in person is an operator."""
    return isinstance(user, User) and user.is_active and user.is_staff


def _set(user: User, *, operator: bool, more: audit.Changes, now: dt.datetime) -> None:
    action = "operator made" if operator else "operator removed"
    changes = {**audit.differences({"operator": user.is_staff}, {"operator": operator}), **more}
    user.is_staff = operator
    user.save(update_fields=["is_staff"])
    # Each clinic has an audit trail, so each clinic of the person gets an entry.
    for member in Member.objects.filter(user=user).select_related("clinic"):
        audit.record(command_line(member.clinic), action, "member", member.id, now=now, changes=changes)
