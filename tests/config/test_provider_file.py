"""The operator's file with the clinics' sign-in services."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from companion.clinics.provider_file import read
from companion.config.environment import Environment

WHOLE = """
[linden]
name = "Linden staff"
issuer = "https://login.linden.example"
client_id = "companion"
client_secret = "very secret"
[linden.domains]
"linden.example" = "viewer"
"""


def test_the_operators_file_is_read(tmp_path: Path) -> None:
    file, secret = tmp_path / "oidc.toml", tmp_path / "secret"
    secret.write_text("from a file\n")
    file.write_text(WHOLE.replace('client_secret = "very secret"', f'client_secret_file = "{secret}"'))

    assert read(file)["linden"].secret() == "from a file"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("https://login", "http://login"), "issuer must be an https address"),
        (('client_secret = "very secret"', ""), "client_secret"),
        (('client_secret = "very secret"', 'client_secret_file = "/nowhere/at/all"'), "can't be read"),
        (('"viewer"', '"owner"'), "domains"),
        (('[linden.domains]\n"linden.example" = "viewer"', ""), "domains or groups"),
        (('client_id = "companion"', 'client = "companion"'), "client"),
        (("[linden]", "[linden"), "is no TOML file"),
        (("[linden]", 'name = "x"\n[linden]'), "a table"),
    ],
)
def test_a_wrong_file_stops_the_start_with_a_sentence_that_quotes_no_secret(
    tmp_path: Path, wrong: tuple[str, str], said: str
) -> None:
    file = tmp_path / "oidc.toml"
    file.write_text(WHOLE.replace(*wrong))

    with pytest.raises(ValidationError) as refused:
        Environment(oidc_file=file)

    assert said in refused.value.errors()[0]["msg"]
    assert "very secret" not in refused.value.errors()[0]["msg"]
