"""People: invite a Member, change or end a membership, find the membership of a signed-in person.

A membership begins when the person accepts it by a link (sign_in_links.py); being signed in is not enough. Django and
allauth handle sessions and passwords; the pages are in web.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet

from companion.clinics import account_mail, accounts, audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Member, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown

SESSION_CLINIC: Final = "clinic"
"""The session's key for the clinic that a member of several clinics has chosen."""
CAME_BY: Final = "came_by"
"""The session's key for the kind of a sign-in without a password: PROVIDER, or the value of `by_link`."""
_LINK: Final = "link:"
PROVIDER: Final = "provider"
_INVITED: Final = "member invited"
ROLE_CHANGED: Final = {role: f"member's role changed to {role.value}" for role in Role}
ROLE_ACTIONS: Final = (_INVITED, *ROLE_CHANGED.values())
"""The audit trail's actions that give a Member a role."""
_EMAIL_LENGTH: Final = 150
"""The length of Django's column for a user's name."""


def add_member(clinic: Clinic, email: str, role: str | None, *, now: dt.datetime, by: Caller | None = None) -> Member:
    """Invite the person of this e-mail address as a Member with this role; an existing Member gets the role.

    Without a role, an existing Member keeps the present role, and a new Member is a provider.

    `by` is the admin who does it (None: the command line). Raises Refused, Conflict if the last admin would lose the
    role, and NotAllowed.
    """
    caller = by or command_line(clinic)
    caller.needs(Role.ADMIN)
    if by and by.clinic.slug in settings.OIDC_PROVIDERS:
        raise Conflict("Members of this clinic sign in by the clinic's sign-in service, which also gives the roles.")
    address, wanted = _email(email), None if role is None else read_role(role)
    with transaction.atomic():
        user, made = User.objects.get_or_create(username=address, defaults={"email": address})
        if made:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        member, added = Member.objects.get_or_create(
            clinic=clinic, user=user, defaults={"role": wanted or Role.PROVIDER, "created_at": now}
        )
        if added:
            changes = {"email": [None, address], "role": [None, str(member.role)]}
            audit.record(caller, _INVITED, "member", member.id, now=now, changes=changes)
        elif wanted and member.role != wanted:
            member = change_role(caller, member, wanted, now=now)
    return member


def members_called(clinic: Clinic, email: str) -> list[Member]:
    """Return the clinic's Members of this address.

    A person has two memberships if a link opened the clinic while its sign-in service was away.
    """
    address = email.strip().lower()
    # The account of a sign-in service has another name than the address, which is as the service writes it.
    return [member for member in members_of(clinic) if address and member.user.email.strip().lower() == address]


def members_of(clinic: Clinic) -> QuerySet[Member]:
    """The clinic's Members and invited people, by their addresses."""
    return Member.objects.filter(clinic=clinic).select_related("user").order_by("user__username")


def the_member(clinic: Clinic, email: str) -> Member:
    """The clinic's Member of this address. Raises Unknown, and Conflict if there are several."""
    found = members_called(clinic, email)
    if not found:
        raise Unknown("There is no member of this address. `companion member list` shows the members.")
    if len(found) > 1:
        raise Conflict("Several members have this address. An admin chooses the right member under Settings, Members.")
    return found[0]


def change_role(caller: Caller, member: Member, role: str, *, now: dt.datetime) -> Member:
    """Give the Member another role. Raises Conflict for the last admin, Refused, and NotAllowed."""
    caller.needs(Role.ADMIN)
    wanted = read_role(role)
    with transaction.atomic():
        current = _one_of(caller.clinic, member)
        if wanted != Role.ADMIN:
            _keep_an_admin(caller.clinic, current)
        changes = {"role": [current.role, wanted.value]}
        current.role = wanted
        current.save(update_fields=["role"])
        audit.record(caller, ROLE_CHANGED[wanted], "member", current.id, now=now, changes=changes)
        account_mail.changed(current, f"Your role in {caller.clinic.name} is now {wanted.value}.")
    return current


def remove_member(caller: Caller, member: Member, *, now: dt.datetime) -> None:
    """End the membership; the person's account and other clinics stay. Raises Conflict for the last admin.

    Without another clinic the person is signed out, too.
    """
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        current = _one_of(caller.clinic, member)
        _keep_an_admin(caller.clinic, current)
        changes = {"email": [current.user.email, None], "role": [current.role, None]}
        audit.record(caller, "member removed", "member", current.id, now=now, changes=changes)
        account_mail.changed(current, f"You are no longer a member of {caller.clinic.name}.")
        current.delete()
        if not _has_joined_elsewhere(current):
            accounts.end_sessions(current.user)


def sign_out(caller: Caller, member: Member, *, now: dt.datetime) -> None:
    """End all sessions of the Member. Raises Conflict, and NotAllowed.

    An admin of one clinic can't sign a person out of another; only the operator can.
    """
    caller.needs(Role.ADMIN)
    if caller.kind != "operator" and _has_joined_elsewhere(member):
        raise Conflict(
            f"{member.user.email} works in another clinic, too, so only the operator of the server ends these sessions:"
            " `companion member sign-out`. To keep the person out of this clinic, remove the member."
        )
    with transaction.atomic():
        accounts.end_sessions(member.user)
        audit.record(caller, "member signed out", "member", member.id, now=now, changes={"sessions": audit.CHANGED})
        account_mail.changed(member, f"All your sessions were ended by {caller.name}.")


def is_elsewhere(member: Member) -> bool:
    """Return whether the person belongs, or is invited, to another clinic: then an admin may not see a sign-in link."""
    return Member.objects.filter(user=member.user_id).exclude(clinic=member.clinic_id).exists()


def _has_joined_elsewhere(member: Member) -> bool:
    # An archived clinic is open to nobody, so it is no reason to leave sessions alone.
    others = Member.objects.filter(user=member.user_id, joined_at__isnull=False, clinic__archived_at=None)
    return others.exclude(clinic=member.clinic_id).exists()


def by_link(member: Member) -> str:
    """Return the session's value for a sign-in by a link of this membership."""
    return f"{_LINK}{member.pk}"


def came_by_link(came_by: object) -> bool:
    """Return whether this is the session's value for a sign-in by a link."""
    return isinstance(came_by, str) and came_by.startswith(_LINK)


def memberships(user: User, came_by: object) -> QuerySet[Member]:
    """Return the memberships that this session opens.

    A password, or a link of another clinic, opens no clinic that has a sign-in service.

    `came_by` is the session's value under CAME_BY.
    """
    mine = Member.objects.filter(user=user, joined_at__isnull=False, clinic__archived_at=None)
    mine = mine.select_related("clinic", "user")
    if came_by == PROVIDER:
        return mine
    # The value names the membership and not the clinic: if the person of the link stopped at the second step, another
    # person may sign in to the same session.
    linked = Q(pk=str(came_by).removeprefix(_LINK)) if came_by_link(came_by) else Q(pk=None)
    return mine.filter(linked | ~Q(clinic__slug__in=list(settings.OIDC_PROVIDERS)))


def chosen_member(user: User, session: Mapping[str, object]) -> Member | None:
    """Return the membership in the clinic chosen in the session, else in the first clinic; None if there is none."""
    chosen, open_to_me = session.get(SESSION_CLINIC), memberships(user, session.get(CAME_BY))
    found = list(open_to_me.order_by("created_at", "id"))
    return next((member for member in found if str(member.clinic_id) == str(chosen)), next(iter(found), None))


def caller_of_member(member: Member) -> Caller:
    """The Member as a caller."""
    name = member.user.get_full_name() or member.user.email
    return Caller(member.clinic, "member", member.id, name, Role(member.role))


def command_line(clinic: Clinic) -> Caller:
    """Return the caller for a command. A person who may run commands on this machine may do everything."""
    return Caller(clinic, "operator", None, "command line", Role.ADMIN)


def own_service(clinic: Clinic, name: str) -> Caller:
    """Return the caller for the acts of a service of ours."""
    return Caller(clinic, "service", None, name, Role.PROVIDER)


def read_role(role: str) -> Role:
    """The role of this name. Raises Refused."""
    if role not in Role.values:
        raise Refused(Problem("role", f"A role is one of {', '.join(Role.values)}."))
    return Role(role)


def _email(email: str) -> str:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise Refused(Problem("email", "This is no e-mail address.")) from None
    if len(address) > _EMAIL_LENGTH:
        raise Refused(Problem("email", f"An address of more than {_EMAIL_LENGTH} characters can't be kept."))
    return address


def _one_of(clinic: Clinic, member: Member) -> Member:
    # All members are locked in one order, so that two admins can't take the role from each other at the same moment.
    members = Member.objects.select_for_update(of=("self",)).filter(clinic=clinic)
    members = members.select_related("user", "clinic").order_by("id")
    for current in members:
        if current.pk == member.pk:
            return current
    raise Conflict("This person is no longer a member.")


def _keep_an_admin(clinic: Clinic, leaving: Member) -> None:
    others = Member.objects.filter(clinic=clinic, role=Role.ADMIN, joined_at__isnull=False).exclude(pk=leaving.pk)
    if leaving.role == Role.ADMIN and leaving.joined_at and not others.exists():
        raise Conflict("This is the clinic's last admin. First make another member an admin.")
