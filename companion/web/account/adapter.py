"""Our settings for allauth: nobody can sign up, and sensitive pages need a fresh proof of identity."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.conf import settings
from django.contrib import messages as flash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.urls import reverse

from companion.clinics import accounts
from companion.clinics.models import Member
from companion.clinics.proofs import is_fresh
from companion.clinics.providers import comes_by_provider
from companion.service.clock import database_now
from companion.web.account import backoff
from companion.web.account.devices import address_of


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Allauth's adapter without sign-up: only an admin adds members."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, request: HttpRequest, level: int, *_: object, message: object = None, **__: object) -> None:
        """Show errors only. Our pages already show what an act has changed."""
        if message and level >= flash.ERROR:
            flash.error(request, str(message))

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, str]]:
        if user.is_authenticated and comes_by_provider(user):
            slugs = Member.objects.filter(user=user.pk, clinic__slug__in=list(settings.OIDC_PROVIDERS))
            addresses = [reverse("provider", args=[slug]) for slug in slugs.values_list("clinic__slug", flat=True)]
            return [{"id": "provider", "description": "Sign in again", "url": f"{at}?again=yes"} for at in addresses]
        methods: list[dict[str, str]] = super().get_reauthentication_methods(user)
        return methods

    def pre_authenticate(self, request: HttpRequest, **credentials: object) -> None:
        backoff.begin(request, _name_in(credentials))

    def authenticate(self, request: HttpRequest, **credentials: object) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        # PostgreSQL takes some letters for others that are no ASCII ("ſ" for "s"). By such a spelling a password could
        # be guessed past the counters of its account.
        if user and not accounts.of_address(_name_in(credentials)).filter(pk=user.pk).exists():
            return None
        if user:
            backoff.succeeded(request, _name_in(credentials))
        return user

    def is_reauthentication_required(self, *, app: str, **_: object) -> bool:
        return not is_fresh(context.request, now=database_now())

    def _rollback_login_failed_rl_usage(self) -> None:
        """Do nothing: allauth doesn't count failed sign-ins here, backoff.py does."""


def _name_in(credentials: dict[str, object]) -> str:
    return str(credentials.get("username") or credentials.get("email") or "")
