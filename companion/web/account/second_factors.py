"""Two-step sign-in with allauth: sealed secrets, our QR codes, and forms that take no code twice."""

from collections.abc import Callable
from typing import Final

import segno
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal.auth import extract_user_from_response
from django import forms
from django.contrib import messages as flash
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from companion import PRODUCT
from companion.clinics.second_factors import open_secret, seal_secret
from companion.web.account import backoff
from companion.web.whole_page import lead_to

_TAKEN_FOR_SECONDS: Final = 120
"""Longer than a code is valid: the codes of the period before and of the period after are accepted, too."""
_BROKEN: Final = (TypeError, ValueError, KeyError, AttributeError, OverflowError)
"""The errors that the libraries raise for a malformed answer of a passkey."""


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Allauth's adapter with sealed secrets and segno's QR codes."""

    def encrypt(self, text: str) -> str:
        return seal_secret(text)

    def decrypt(self, encrypted_text: str) -> str:
        return open_secret(encrypted_text)

    def get_totp_issuer(self) -> str:
        return PRODUCT

    def build_totp_svg(self, url: str) -> str:
        return segno.make(url, micro=False).svg_inline(scale=4, border=4, light="#fff")

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        return f"Passkey {Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity() | {"name": PRODUCT}
        return entity


class _OnceOnly(forms.Form):
    """A form that accepts each code once. allauth alone forgets a used code before the code expires."""

    user: User

    def clean_code(self) -> str:
        account = f"{backoff.SECOND_STEP}{self.user.get_username()}"
        backoff.begin(context.request, account)
        code: str = super().clean_code()  # type: ignore[misc]  # the other base class of each form has this method
        backoff.succeeded(context.request, account)
        # allauth accepts a code with any punctuation and spaces in it, so it must count as the same code.
        plain = "".join(filter(str.isalnum, code)).lower()
        if not cache.add(f"second-step:{self.user.pk}:{plain}", "taken", _TAKEN_FOR_SECONDS):
            raise forms.ValidationError("This code was used already. Wait for the next code.")
        return code


class CodeForm(_OnceOnly, AuthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The code of the second step of a sign-in."""


class CodeAgainForm(_OnceOnly, ReauthenticateForm):  # type: ignore[misc]  # as above
    """The code that proves anew who the person is."""


class NewAppForm(_OnceOnly, ActivateTOTPForm):  # type: ignore[misc]  # as above
    """The first code of a new app. It signs nobody in afterwards, although it is valid for some seconds more."""


class _Readable(forms.Form):
    """A form that refuses a malformed answer of a passkey with a sentence, where allauth would raise an error."""

    def clean_credential(self) -> object:
        inherited = getattr(super(), "clean_credential", None)
        try:
            return inherited() if inherited else self.cleaned_data["credential"]
        except _BROKEN as error:
            raise _unreadable() from error

    def clean(self) -> dict[str, object] | None:
        try:
            return super().clean()
        except _BROKEN as error:
            raise _unreadable() from error


def _counted(clean: Callable[[], object], account: str, report: Callable[[], object]) -> object:
    """Judge a passkey, count the try for backoff.py, and report a wrong passkey, as allauth does for codes only."""
    backoff.begin(context.request, account)
    try:
        authenticator = clean()
    except forms.ValidationError:
        report()
        raise
    backoff.succeeded(context.request, account)
    return authenticator


class _SecondStep(_Readable):
    """A form for a passkey of a person whose account is known already."""

    user: User

    def clean_credential(self) -> object:
        return _counted(super().clean_credential, f"{backoff.SECOND_STEP}{self.user.get_username()}", self._report)

    def _report(self) -> None:
        authentication_failed.send(sender=Authenticator, request=context.request, user=self.user)


class PasskeyForm(_SecondStep, AuthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """A passkey as the second step of a sign-in."""


class PasskeyAgainForm(_SecondStep, ReauthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """A passkey that proves anew who the person is."""


class PasskeySignInForm(_Readable, LoginWebAuthnForm):  # type: ignore[misc]  # as above
    """A passkey in place of a password. Its answer names the account, as an e-mail address would; "" if it doesn't."""

    def clean_credential(self) -> object:
        account = self._account()
        credentials = {"username": account}

        def report() -> None:
            user_login_failed.send(sender=Authenticator, credentials=credentials, request=context.request)

        return _counted(super().clean_credential, account, report)

    def _account(self) -> str:
        try:
            return str(extract_user_from_response(self.cleaned_data["credential"]).get_username())
        except (forms.ValidationError, *_BROKEN):
            return ""


class NewPasskeyForm(_Readable, AddWebAuthnForm):  # type: ignore[misc]  # as above
    """A new passkey."""


def _unreadable() -> forms.ValidationError:
    error: forms.ValidationError = get_account_adapter().validation_error("incorrect_code")
    return error


def lead(request: HttpRequest, clinic: str) -> HttpResponse:
    """Lead a member to the set-up of the second step that the clinic demands."""
    if "HX-Request" not in request.headers:
        # htmx asks for each part of an open page; the sentence would then appear several times.
        flash.info(request, f"{clinic} asks for a second step at the sign-in. Set it up first, then go on.")
    return lead_to(request, reverse("mfa_index"))
