"""The addresses that webhooks may have."""

import pytest
from pytest_django import Settings

from companion.clinics.refusals import Refused
from companion.webhooks import calling
from tests.support.receivers import Hook

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.8]/",
        "https://[64:ff9b::a00:8]/",
        "https://[2002:a00:8::]/",
        "https://0.0.0.0/",
        "https://localhost/",
    ],
)
def test_in_earnest_no_webhook_reaches_into_private_networks(url: str, settings: Settings) -> None:
    settings.SANDBOX_ON = False

    assert "may not be reached" in calling.Receiver(url).post("{}", {}).error


def test_private_networks_are_open_where_the_environment_says_so(settings: Settings, hook: Hook) -> None:
    settings.SANDBOX_ON = False
    settings.COMPANION = settings.COMPANION.model_copy(update={"webhook_private_networks": True})

    assert calling.Receiver(hook.url).post("{}", {}).error == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a.example/",
        "http://a.example/",
        "https://",
        "https://nora:pass@a.example/",
        "https://a.example:99999/",
        "https://a.example/\r\nX: y",
        "https://bücher.example/",
        f"https://a.example/{'x' * 500}",
    ],
)
def test_an_address_that_no_webhook_may_have_is_refused(url: str, settings: Settings) -> None:
    settings.SANDBOX_ON = False

    with pytest.raises(Refused):
        calling.check(url)
