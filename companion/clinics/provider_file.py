"""The clinics' sign-in services (OpenID Connect), as the operator's file describes them (COMPANION_OIDC_FILE).

Only the operator of the server can set them, because our server sends requests to their addresses.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

Text = Annotated[str, Field(min_length=1, max_length=200)]
RoleName = Literal["viewer", "provider", "admin"]
_ORDER: Final[tuple[RoleName, ...]] = ("viewer", "provider", "admin")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Provider(BaseModel):
    """A clinic's sign-in service, and the roles that people get by it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    """The words on the button."""
    issuer: Text
    client_id: Text
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    domains: dict[str, RoleName] = {}
    """The role of everybody whose verified e-mail address has this domain."""
    groups: dict[str, RoleName] = {}
    """The role of everybody in this group; the highest role counts."""
    groups_claim: Text = "groups"
    acr: list[Text] = []
    """The kinds of sign-in (`acr`) of which the service must confirm one; empty: any kind."""
    amr: list[Text] = []
    """The means (`amr`: "mfa", "otp" …) of which the service must confirm one; empty: any means."""
    auth_time: bool = False
    """True if a fresh proof of identity counts only with the service's own word for when it was given."""
    listed: bool = True
    """True if the sign-in page shows the button to everybody."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        address = urlsplit(self.issuer)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
            raise ValueError("issuer must be an https address")
        if (self.client_secret is None) == (self.client_secret_file is None):
            raise ValueError("give client_secret or client_secret_file")
        if not self.domains and not self.groups:
            raise ValueError("say under domains or groups who gets which role")
        return self

    def secret(self) -> str:
        """The client's secret, read from its file if a file is named. Raises OSError."""
        if self.client_secret_file:
            return self.client_secret_file.read_text().strip()
        return self.client_secret.get_secret_value() if self.client_secret else ""

    @property
    def demands_strength(self) -> bool:
        """Return whether the service must confirm how the person signed in there."""
        return bool(self.acr or self.amr)

    def is_strong_enough(self, signed: Mapping[str, object]) -> bool:
        """Return whether the claims that the service signed confirm the kind and the means that are demanded."""
        return _confirms(signed.get("acr"), self.acr) and _confirms(signed.get("amr"), self.amr)

    def role_of(self, claims: Mapping[str, object]) -> RoleName | None:
        """The highest role that the person's groups and verified address give; None if they give no role."""
        named = claims.get(self.groups_claim)
        groups = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        roles = [self.groups[group] for group in groups if isinstance(group, str) and group in self.groups]
        domain = verified_email(claims).rpartition("@")[2]
        roles += [role for known, role in self.domains.items() if domain and known.lower() == domain]
        return max(roles, key=_ORDER.index, default=None)


def _confirms(claim: object, demanded: list[str]) -> bool:
    told = claim if isinstance(claim, list) else [claim]
    return not demanded or any(means in told for means in demanded)


def verified_email(claims: Mapping[str, object]) -> str:
    """The person's e-mail address in small letters, if the provider has verified it; else ""."""
    email = claims.get("email")
    return email.strip().lower() if isinstance(email, str) and claims.get("email_verified") in (True, "true") else ""


def read(path: Path) -> dict[str, Provider]:
    """The providers by their clinic's slug. Raises ValueError with a sentence that quotes no value."""
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ValueError("is no TOML file") from None
    try:
        found = {slug: Provider.model_validate(values) for slug, values in tables.items()}
        for provider in found.values():
            provider.secret()
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("names a client_secret_file that is no text") from None
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        raise ValueError(
            f"has a wrong value: {'.'.join(map(str, first['loc'])) or 'a table'}: {first['msg']}"
        ) from None
    return found
