"""The second factor that a clinic may demand of its admins or of all members. API keys are not concerned."""

from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from companion.clinics.access import Caller
from companion.clinics.models import Demand, Role
from companion.clinics.providers import comes_by_provider


def has_one(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the person has an authenticator app or a passkey; recovery codes alone are none."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=kinds).exists())


def is_missing(caller: Caller, user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the clinic demands a second factor of this member, who has none."""
    if comes_by_provider(user):
        # Their clinic's sign-in service asks for it.
        return False
    match caller.clinic.second_factor:
        case Demand.ALL:
            return not has_one(user)
        case Demand.ADMINS:
            return caller.role == Role.ADMIN and not has_one(user)
        case _:
            return False
