"""Checks of connections that the operator set: proxies for Telegram and for the pages, and sign-in services."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import jwt
from django.conf import settings
from django.urls import reverse

from companion.clinics.bot_api import proxy
from companion.clinics.models import Clinic
from companion.clinics.provider_calls import UNREACHABLE, UNREADABLE, Calls
from companion.clinics.provider_file import Provider
from companion.panel.check import CheckResult, Group, failed, ok, warning
from companion.service import drill
from companion.service.client_address import is_within
from companion.telegram.connection import NoAnswer
from companion.telegram.proxy import PORT, Proxy

_SECONDS: Final = 5.0
_LOOPBACK: Final = ("127.0.0.1", "::1")
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")


def ways(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check the proxy for Telegram, the trusted proxies of the pages, and the sign-in services."""
    if (own := proxy()) and not drill.is_on():
        yield _proxy(own)
    yield _trusted_proxies()
    for slug, provider in settings.OIDC_PROVIDERS.items():
        if clinic is None or clinic.slug == slug:
            yield _sign_in_service(slug, provider)


def _proxy(own: Proxy) -> CheckResult:
    """Open a tunnel to the Bot API's server, without sending a request through it."""
    name = "Proxy to Telegram"
    at, there = urlsplit(own.url), urlsplit(settings.COMPANION.bot_api_url)
    value = f"{at.hostname}:{at.port or PORT}"
    try:
        asyncio.run(_opened(own, there.hostname or "", there.port or (443 if there.scheme == "https" else 80)))
    except (NoAnswer, OSError) as error:
        why = error.note if isinstance(error, NoAnswer) else "it can't be reached"
        advice = f"No message leaves: {why}. See COMPANION_TELEGRAM_PROXY (or HTTPS_PROXY) and the proxy's own rules."
        return failed(Group.NETWORK, name, value, advice)
    return ok(Group.NETWORK, name, f"{value} leads to {there.hostname}")


async def _opened(own: Proxy, host: str, port: int) -> None:
    (await asyncio.wait_for(own.open(host, port), _SECONDS)).close()


def _trusted_proxies() -> CheckResult:
    name, networks = "Proxies before the pages", settings.COMPANION.proxies
    value = ", ".join(str(network) for network in networks) or "none"
    near = any(is_within(address, networks) for address in _LOOPBACK)
    far = any(not network.is_loopback for network in networks)
    own = settings.COMPANION
    if own.on_loopback and own.base_url.startswith("https://") and not near:
        advice = "The proxy is on this machine and isn't believed, so all people count as one address."
        return warning(Group.CONFIGURATION, name, value, f"{advice} Add 127.0.0.1 to COMPANION_TRUSTED_PROXIES.")
    if not own.on_loopback and own.base_url.startswith("https://") and not far:
        advice = (
            "If the proxy is on another machine, name its address in COMPANION_TRUSTED_PROXIES: else all people count "
            "as one address. If it is on this machine, set COMPANION_HOST to 127.0.0.1."
        )
        return warning(Group.CONFIGURATION, name, value, advice)
    return ok(Group.CONFIGURATION, name, value)


def _sign_in_service(slug: str, provider: Provider) -> CheckResult:
    """Read the service's description and its keys."""
    name = f"Sign-in service of {slug}"
    back = f"{settings.COMPANION.public_url}{reverse('openid_connect_callback', args=[slug])}"
    clinic = Clinic.objects.filter(slug=slug, archived_at=None).first()
    if clinic is None:
        advice = "COMPANION_OIDC_FILE names a clinic that isn't there, or is archived. See `companion clinic list`."
        return warning(Group.NETWORK, name, "no such clinic", advice)
    if why := _wrong(provider):
        advice = f"Nobody of this clinic can sign in by it. See issuer and client_secret in COMPANION_OIDC_FILE: {why}."
        return failed(Group.NETWORK, name, "not in order", advice)
    if clinic.second_factor and not provider.demands_strength:
        advice = "The clinic demands a second step, but nothing checks that the service asks for it. Set amr or acr."
        return warning(Group.NETWORK, name, "answers, and need not confirm a second step", advice)
    return ok(Group.NETWORK, name, f"answers. It must know this redirect address: {back}")


def _wrong(provider: Provider) -> str:
    """The reason why nobody could sign in by the service; empty if none is found."""
    try:
        provider.secret()
    except (OSError, UnicodeDecodeError):
        return "the file of the secret can't be read"
    try:
        described = _asked(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        if str(described["issuer"]).rstrip("/") != provider.issuer.rstrip("/"):
            return "the service calls itself by another issuer"
        if missing := [name for name in _NEEDED if name not in described]:
            return f"the service names no {missing[0]}"
        jwt.PyJWKSet.from_dict(_asked(str(described["jwks_uri"])))
    except (*UNREADABLE, jwt.PyJWTError):
        return "the service gives no answer that can be read"
    except UNREACHABLE:
        return "the service can't be reached, or leads elsewhere"
    return ""


def _asked(address: str) -> dict[str, object]:
    with Calls() as calls:
        answer = calls.get(address)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
    return found
