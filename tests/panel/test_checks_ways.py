"""The checks of the ways in and out that the operator set: proxies, and clinics' sign-in services."""

import asyncio
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from pydantic import SecretStr
from pytest_django import Settings

from companion.clinics.models import Clinic
from companion.panel import checks_ways
from companion.panel.check import CheckResult
from companion.service.client_address import read_networks
from tests.builders import NOW, a_clinic
from tests.telegram.servers import a_server
from tests.telegram.test_proxy import tunnels
from tests.web.provider import a_provider, running_provider
from tests.web.relay import relaying

pytestmark = pytest.mark.django_db


def check(name: str, clinic: Clinic | None = None) -> CheckResult:
    return next(checked for checked in checks_ways.ways(clinic, now=NOW) if checked.name == name)


def _set(settings: Settings, **values: object) -> None:
    own = settings.COMPANION.model_copy(update=values)
    own.__dict__["proxies"] = read_networks(own.trusted_proxies)
    settings.COMPANION = own


def _behind(settings: Settings, proxy: str) -> None:
    _set(settings, telegram_proxy=SecretStr(proxy), telegram_api_url="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy wants a name and a password"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy gave no answer that can be read"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_fails(answer: bytes, why: str, settings: Settings) -> None:
    found = asyncio.run(_checked(settings, answer))

    assert found.result == "failed"
    assert f"No message leaves: {why}" in found.advice


def test_a_proxy_that_opens_a_tunnel_is_well_and_its_password_is_not_shown(settings: Settings) -> None:
    found = asyncio.run(_checked(settings, b"HTTP/1.1 200 OK\r\n\r\n"))

    assert found.result == "ok"
    assert "leads to 127.0.0.1" in found.value
    assert "p@ss" not in str(found)


async def _checked(settings: Settings, answer: bytes) -> CheckResult:
    async with a_server(tunnels([], answer)) as proxy:
        _behind(settings, proxy.url.replace("http://", "http://nora:p@ss@"))
        return await sync_to_async(check)("Proxy to Telegram")


def test_a_proxy_that_is_not_there_fails(settings: Settings) -> None:
    _behind(settings, "http://127.0.0.1:9")

    assert "it can't be reached" in check("Proxy to Telegram").advice


def test_without_a_proxy_to_telegram_there_is_nothing_to_check() -> None:
    assert [checked.name for checked in checks_ways.ways(None, now=NOW)] == ["Proxies before the pages"]


@pytest.mark.parametrize(
    ("host", "trusted", "result"),
    [
        ("127.0.0.1", "127.0.0.1, ::1", "ok"),
        ("127.0.0.1", "10.0.0.7", "warning"),
        ("0.0.0.0", "127.0.0.1, ::1", "warning"),
        ("0.0.0.0", "10.0.0.7", "ok"),
    ],
)
def test_a_proxy_that_is_not_believed_is_warned_of(host: str, trusted: str, result: str, settings: Settings) -> None:
    _set(settings, base_url="https://plan.clinic.example", host=host, trusted_proxies=trusted)

    assert check("Proxies before the pages").result == result


def test_without_https_there_is_no_proxy_to_believe(settings: Settings) -> None:
    _set(settings, base_url="", host="0.0.0.0")

    assert check("Proxies before the pages").result == "ok"


def test_a_sign_in_service_that_answers_is_well_and_the_redirect_address_is_said(settings: Settings) -> None:
    linden = a_clinic(slug="linden")
    with running_provider() as issuer, relaying(issuer) as relay:
        settings.OIDC_PROVIDERS = {"linden": a_provider(relay.address)}
        well = check("Sign-in service of linden", linden)
        relay.described = {"issuer": "https://id.birch.example"}
        other = check("Sign-in service of linden")
        relay.described = {"userinfo_endpoint": None}
        relay.keys.clear()
        without_keys = check("Sign-in service of linden")

    assert well.result == "ok"
    assert well.value.endswith("/accounts/oidc/linden/login/callback/")
    assert "another issuer" in other.advice
    assert "no answer that can be read" in without_keys.advice


def test_a_sign_in_service_whose_answer_can_t_be_read_or_breaks_off_fails(settings: Settings) -> None:
    a_clinic(slug="linden")
    advice = []
    with running_provider() as issuer, relaying(issuer) as relay:
        settings.OIDC_PROVIDERS = {"linden": a_provider(relay.address)}
        for path in ("/jwks", "/.well-known/openid-configuration"):
            for body in (b"not JSON", b"[]", b"7", b"\xff", b"[" * 500_000):
                relay.bodies[path] = body
                advice.append(check("Sign-in service of linden").advice)
        relay.bodies.clear()
        relay.breaks_off = True
        broken_off = check("Sign-in service of linden")

    assert [words for words in advice if "no answer that can be read" not in words] == []
    assert (broken_off.result, "can't be reached" in broken_off.advice) == ("failed", True)


def test_a_sign_in_service_that_is_away_or_without_its_secret_fails(settings: Settings, tmp_path: Path) -> None:
    a_clinic(slug="linden")
    settings.OIDC_PROVIDERS = {"linden": a_provider("http://127.0.0.1:9")}
    away = check("Sign-in service of linden")
    no_file = a_provider("http://127.0.0.1:9", client_secret=None, client_secret_file=tmp_path / "none")
    settings.OIDC_PROVIDERS = {"linden": no_file}

    assert away.result == "failed"
    assert "can't be reached" in away.advice
    assert "file of the secret" in check("Sign-in service of linden").advice


def test_a_service_that_need_not_confirm_the_second_step_that_its_clinic_demands_is_warned_of(
    settings: Settings,
) -> None:
    a_clinic(slug="linden", second_factor="all")
    with running_provider() as issuer:
        settings.OIDC_PROVIDERS = {"linden": a_provider(issuer)}
        unchecked = check("Sign-in service of linden")
        settings.OIDC_PROVIDERS = {"linden": a_provider(issuer, amr=["mfa"])}
        checked = check("Sign-in service of linden")

    assert (unchecked.result, checked.result) == ("warning", "ok")
    assert "need not confirm a second step" in unchecked.value


def test_a_sign_in_service_of_no_clinic_is_warned_of(settings: Settings) -> None:
    settings.OIDC_PROVIDERS = {"lindne": a_provider("http://127.0.0.1:9")}

    assert check("Sign-in service of lindne").value == "no such clinic"


def test_a_clinic_sees_nothing_of_another_clinics_sign_in_service(settings: Settings) -> None:
    settings.OIDC_PROVIDERS = {"linden": a_provider("http://127.0.0.1:9")}

    names = [checked.name for checked in checks_ways.ways(a_clinic(slug="birch"), now=NOW)]

    assert names == ["Proxies before the pages"]
