"""Operators: the people who run the server and may see the page of all clinics. Only commands make operators."""

import datetime as dt

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.db.models import QuerySet

from companion.clinics import accounts, audit
from companion.clinics.members import command_line
from companion.clinics.models import Member
from companion.clinics.refusals import Unknown


def add(email: str, *, now: dt.datetime) -> User:
    """Make the person of this address an operator. Raises Unknown for a person without an account."""
    return _set(email, operator=True, now=now)


def remove(email: str, *, now: dt.datetime) -> User:
    """Make the person an ordinary member again. Raises Unknown for a person without an account."""
    return _set(email, operator=False, now=now)


def all_operators() -> QuerySet[User]:
    """All operators, by their addresses."""
    # `is_staff` is Django's flag for people who administer an installation. No other code here uses it.
    return User.objects.filter(is_staff=True, is_active=True).order_by("username")


def is_operator(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the signed-in person is an operator."""
    return isinstance(user, User) and user.is_active and user.is_staff


def _set(email: str, *, operator: bool, now: dt.datetime) -> User:
    user = accounts.of_address(email).first()
    if user is None:
        raise Unknown(
            "Nobody has an account of this address. Add the person to a clinic first: `companion member add`."
        )
    action = "operator made" if operator else "operator removed"
    with transaction.atomic():
        told = audit.differences({"operator": user.is_staff}, {"operator": operator})
        user.is_staff = operator
        user.save(update_fields=["is_staff"])
        # Each clinic has an audit trail, so each clinic of the person gets an entry.
        for member in Member.objects.filter(user=user).select_related("clinic"):
            audit.record(command_line(member.clinic), action, "member", member.id, now=now, changes=told)
    return user
