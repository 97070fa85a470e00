"""People with passwords, as they sign in by the real form, and what is known of them afterwards."""

import time
from typing import Final

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.test import Client

from companion.clinics.models import AuditEntry, Clinic, Member, Role
from tests.builders import a_member

PASSWORD: Final = "four calm horses"


def a_person(clinic: Clinic, role: Role = Role.PROVIDER, email: str = "") -> Member:
    """A member who signs in by a password."""
    member = a_member(clinic, role, email)
    member.user.set_password(PASSWORD)
    member.user.save()
    return member


def sign_in(member: Member, password: str = PASSWORD, client: Client | None = None, **extra: str) -> Client:
    """Sign in by the form, from this client's browser or a new browser."""
    browser = client or Client()
    browser.post("/accounts/login/", {"login": member.user.email, "password": password}, **extra)  # type: ignore[arg-type]
    return browser


def is_in(client: Client) -> bool:
    """Return whether the pages open."""
    return client.get("/scheduled-messages").status_code == 200


def session_of(client: Client) -> UserSession:
    return UserSession.objects.get(session_key=client.session.session_key)


def acts_of(clinic: Clinic) -> list[str]:
    """Each act in the clinic's audit trail, the oldest first."""
    return list(AuditEntry.objects.filter(clinic=clinic).order_by("id").values_list("action", flat=True))


def aged(client: Client, **keys: float) -> None:
    """Change what the session says of itself, as time would: `began`, `proved`."""
    session = client.session
    for key, value in keys.items():
        session[key] = value
    session["account_authentication_methods"] = []
    session.save()


def app_code(secret: str, *, steps: int = 0) -> str:
    """The code that an authenticator app shows now, or so many steps from now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def with_an_app(client: Client) -> str:
    """Set up an authenticator app, and return its key."""
    secret = str(client.get("/accounts/2fa/totp/activate/").context["form"].secret)
    client.post("/accounts/2fa/totp/activate/", {"code": app_code(secret)})
    return secret
