"""A real OpenID Connect provider in a separate process, and a person's way through it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
from django.test import Client

from companion.clinics.provider_file import Provider
from tests.support.services import a_free_port, eventually

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

LOGIN: Final = "/accounts/oidc/linden/login/"
SUB: Final = "eva-1"
_GROUPS: Final = {"nurses": "provider", "heads": "admin"}


@contextmanager
def running_provider() -> Iterator[str]:
    """Run the provider, and give its address."""
    port = a_free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(address), "the provider's start")
        yield address
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        httpx.get(f"{address}/.well-known/openid-configuration")
    except httpx.TransportError:
        return False
    return True


def a_provider(issuer: str, **fields: object) -> Provider:
    values = {
        "name": "Linden staff",
        "issuer": issuer,
        "client_id": "companion",
        "client_secret": "s",
        "groups": _GROUPS,
    }
    return Provider.model_validate(values | fields)


def the_service_says(issuer: str, **claims: object) -> None:
    """Set the claims about Eva from now on."""
    told = {"email": "eva@linden.example", "given_name": "Eva", "family_name": "Lind"} | claims
    httpx.put(f"{issuer}/users/{SUB}", json=told).raise_for_status()


def through_the_service(client: Client, login: str = LOGIN) -> "Answer":
    """Go to the service, say yes there, and come back."""
    there = client.get(login)["Location"]
    back = httpx.post(there, data={"sub": SUB}).headers["Location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")
