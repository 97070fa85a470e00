"""One-time links, by which a person accepts a membership and signs in. A link goes to the mailbox or to the operator.

An admin sees a link on a page only while the account opens nothing else: it has no password, no passkey and no other
clinic, and the person is not an operator.
"""

import datetime as dt
import secrets
import uuid

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse

from companion.clinics import account_mail, accounts, audit
from companion.clinics.access import Caller
from companion.clinics.members import caller_of_member, command_line, is_elsewhere
from companion.clinics.models import Member, Role
from companion.clinics.providers import comes_by_provider, provider_of
from companion.clinics.refusals import Conflict
from companion.service import mailing


class _Tokens(PasswordResetTokenGenerator):
    """Tokens for one membership.

    A token becomes invalid with a newer link, with the person's next sign-in, with a new password or membership, or
    after PASSWORD_RESET_TIMEOUT.
    """

    key_salt = "companion.clinics.sign_in_links"

    def __init__(self, member: Member) -> None:
        super().__init__()
        self.member = member

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        # Django uses only the whole seconds of the last sign-in, so a link made within that second would stay valid.
        last = user.last_login.isoformat() if user.last_login else ""
        # A link made for one clinic's member must not lead into a clinic that the person joined later.
        clinics = sorted(str(clinic) for clinic in Member.objects.filter(user=user).values_list("clinic", flat=True))
        newest = cache.get(_newest(self.member), "")
        return f"{super()._make_hash_value(user, timestamp)}{last}{clinics}{self.member.pk}{newest}"


def operators_link(member: Member, *, now: dt.datetime) -> str:
    """Make the link that the operator's command prints. It opens all clinics of the person."""
    by = command_line(member.clinic)
    with transaction.atomic():
        audit.record(by, "sign-in link made", "member", member.id, now=now, changes=audit.NO_VALUE)
        account_mail.link_made(member, "The operator of the server")
    return _link(member)


def shut(member: Member, *, now: dt.datetime) -> None:
    """End every way into the person's account, by a command of the operator, for a person who lost the second step."""
    with transaction.atomic():
        accounts.shut(member.user)
        audit.record(command_line(member.clinic), "account reset", "member", member.id, now=now, changes=accounts.SHUT)
        account_mail.changed(
            member, "Your password, second steps and sessions were ended by the operator of the server."
        )


def hand_out_link(caller: Caller, member: Member, *, now: dt.datetime) -> str:
    """Make a link for an admin. Returns the link if the admin may see it, and "" if it was sent by e-mail.

    Raises Conflict if the admin may not see it and no mail server is set, and NotAllowed.
    """
    caller.needs(Role.ADMIN)
    if comes_by_provider(member.user) or provider_of(caller.clinic):
        raise Conflict("People of this clinic sign in by the clinic's sign-in service. Only the operator makes links.")
    open_to_see = not accounts.opens_by_itself(member.user) and not is_elsewhere(member)
    if not open_to_see and not mailing.possible():
        raise Conflict(
            f"{member.user.email} has a password, a passkey or another clinic, so only they may see a link. It can't "
            "be sent, since no mail server is set. Ask the operator of the server for a link: `companion member add`."
        )
    with transaction.atomic():
        audit.record(caller, "sign-in link made", "member", member.id, now=now, changes=audit.NO_VALUE)
        if open_to_see:
            account_mail.link_made(member, caller.name)
            return _link(member)
        account_mail.invitation(member, _link(member))
    return ""


def member_of_link(key: uuid.UUID, token: str) -> Member | None:
    """Find the membership of a valid link. The link stays valid, so that a page can ask first.

    A link into an archived clinic opens nothing: accepting it would only end the person's password.
    """
    of_open_clinics = Member.objects.filter(pk=key, user__is_active=True, clinic__archived_at=None)
    member = of_open_clinics.select_related("user", "clinic").first()
    return member if member and _Tokens(member).check_token(member.user, token) else None


def redeem_link(key: uuid.UUID, token: str, *, now: dt.datetime) -> Member | None:
    """Accept the membership, end the link, and return the Member to sign in.

    The link works once, also if two people use it at the same moment.
    Every earlier way into an invited person's account ends, since somebody else may have made the account.
    """
    member = member_of_link(key, token)
    if member is None:
        return None
    user = member.user
    with transaction.atomic():
        # Zero rows: somebody was faster and has used the link.
        if not User.objects.filter(pk=user.pk, last_login=user.last_login).update(last_login=now):
            return None
        user.last_login = now
        if member.joined_at is None:
            _join(member, now=now)
        by = caller_of_member(member)
        audit.record(by, "sign-in link used", "member", member.id, now=now, changes=audit.NO_VALUE)
        account_mail.link_used(member, now=now)
    return member


def _join(member: Member, *, now: dt.datetime) -> None:
    accounts.shut(member.user)
    Member.objects.filter(pk=member.pk, joined_at=None).update(joined_at=now)
    member.joined_at = now
    changes = {**accounts.SHUT, **audit.differences({}, {"joined_at": now})}
    audit.record(caller_of_member(member), "membership accepted", "member", member.id, now=now, changes=changes)


def _newest(member: Member) -> str:
    """Return the cache's key for the newest link of this membership."""
    return f"sign-in-link:{member.pk}"


def _link(member: Member) -> str:
    # A link that went to the wrong person ends by a newer link.
    cache.set(_newest(member), secrets.token_urlsafe(8), settings.PASSWORD_RESET_TIMEOUT)
    path = reverse("sign_in_by_link", args=[member.pk, _Tokens(member).make_token(member.user)])
    return f"{settings.COMPANION.public_url}{path}"
