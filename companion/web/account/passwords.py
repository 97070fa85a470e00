"""The form for another password, whose wrong tries of the present password count like those of a sign-in."""

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm
from django.contrib.auth.models import User
from django.forms import ValidationError


class PasswordForm(ChangePasswordForm):  # type: ignore[misc]  # allauth ships no types
    """Allauth's form, whose wrong tries are counted and recorded like those of a sign-in.

    A thief of a session could otherwise guess the password here without a trace.
    """

    user: User

    def clean_oldpassword(self) -> str:
        typed: str = self.cleaned_data["oldpassword"]
        if get_adapter().reauthenticate(self.user, typed):
            return typed
        error: ValidationError = get_adapter().validation_error("enter_current_password")
        raise error
