"""`/accounts/oidc/<clinic>/…`: the sign-in by a clinic's OpenID Connect service.

allauth speaks the protocol (state, PKCE, token). id_token.py checks who signed the answer. clinics/providers.py
decides who the person is and what they may do. allauth's tables for such accounts are not used.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import jwt
import structlog
from allauth.account.internal.flows.login import perform_login
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY, resume_request
from allauth.account.models import Login
from allauth.socialaccount.models import SocialApp, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from companion.clinics.members import CAME_BY, PROVIDER, SESSION_CLINIC
from companion.clinics.models import Clinic
from companion.clinics.proofs import PROVED
from companion.clinics.provider_calls import UNREACHABLE, UNREADABLE
from companion.clinics.provider_file import Provider
from companion.clinics.providers import Stranger, comes_by_provider, member_for, refused, too_weak
from companion.service.clock import database_now
from companion.service.slots import SIGN_INS, Busy
from companion.web.access import came_from
from companion.web.account import id_token, proof

log = structlog.stdlib.get_logger(__name__)
_NEXT: Final = "provider_next"
_KEPT_SECONDS: Final = 600
_LOCAL_PAGES: Final = ("/accounts/password/", "/accounts/2fa/")
"""Pages about passwords and second steps. Members who sign in by their clinic's service manage both there."""
_BROKEN: Final = (OAuth2Error, *UNREACHABLE, *UNREADABLE)
"""The errors that the libraries raise if a service can't be reached or breaks the protocol."""
Answer = Callable[[HttpRequest], HttpResponseBase]


class _Claims(Exception):
    """Raised with what the service says about the person, to leave allauth's code before it makes an account."""

    def __init__(self, claims: dict[str, object], *, is_strong_enough: bool) -> None:
        super().__init__()
        self.claims, self.is_strong_enough = claims, is_strong_enough


class _Question(OAuth2Client):  # type: ignore[misc]  # allauth ships no types
    """allauth's question to a service. It asks for a nonce, which the answer must repeat."""

    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        params = extra_params | {"nonce": id_token.nonce_of(self.state)}
        url: str = super().get_redirect_url(authorization_url, scope, params)
        return url


class _Protocol(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """allauth's client of the protocol. It remembers the service's description of itself for some minutes."""

    client_class = _Question

    def get_provider(self) -> "_Service":
        return _service(self.request, self.provider_id)

    @property
    def openid_config(self) -> dict[str, object]:
        key = f"oidc:{self.get_provider().server_url}"
        description: dict[str, object] | None = cache.get(key)
        if description is None:
            description = dict(super().openid_config)
            cache.set(key, description, _KEPT_SECONDS)
        return description

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: object) -> None:
        """Compare the ID token with the user info. Raises _Claims with both: allauth's accounts are not used."""
        answer = kwargs["response"]
        signed = self._read(answer["id_token"], app)  # type: ignore[index]  # allauth passes a mapping
        user_info = self._fetch_user_info(token.token)
        if signed["sub"] != user_info["sub"]:
            raise OAuth2Error("the answers are about different people")
        # If both hold the same claim, the claim of the ID token counts, since it is signed.
        raise _Claims(user_info | signed, is_strong_enough=_known(self.provider_id).is_strong_enough(signed))

    def _read(self, token: str, app: SocialApp) -> dict[str, object]:
        try:
            return id_token.read(
                token,
                keys_url=str(self.openid_config["jwks_uri"]),
                issuer=app.settings["issuer"],
                client_id=app.client_id,
                # allauth has found the state in the browser's session, and removed it there.
                nonce=id_token.nonce_of(self.request.GET["state"]),
            )
        except jwt.PyJWTError as error:
            log.warning("an ID token was refused", clinic=self.provider_id, why=type(error).__name__)
            raise OAuth2Error("the ID token was refused") from error


class _Service(OpenIDConnectProvider):  # type: ignore[misc]
    """allauth's provider with our client of the protocol."""

    oauth2_adapter_class = _Protocol
    pkce_enabled_default = True


@require_GET
def go(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the person to the clinic's service. With `again` in the query, the service asks for a new sign-in."""
    service = _service(request, slug)
    asked = {"prompt": "login", "max_age": "0"} if request.GET.get("again") else {}
    if kinds := _known(slug).acr:
        asked["acr_values"] = " ".join(kinds)
    if request.GET.get("next"):
        # Another page asks for a proof: a form that still waits for one was left.
        request.session.pop(STATE_SESSION_KEY, None)
    request.session[_NEXT] = came_from(request, reverse("messages"))
    return _or_failure_page(request, slug, lambda: service.redirect(request, "login", auth_params=asked))


@require_GET
def come_back(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Receive the person whom the service sends back, and sign them in."""
    _service(request, provider_id)
    view = OAuth2CallbackView.adapter_view(_Protocol(request, provider_id))
    try:
        return _or_failure_page(request, provider_id, lambda: view(request))
    except _Claims as answer:
        if not answer.is_strong_enough:
            return _too_weak(request, provider_id)
        return _sign_in(request, provider_id, answer.claims)


@require_GET
def cancelled(request: HttpRequest) -> HttpResponse:
    """Go back to the sign-in page: the person changed their mind at the service."""
    return redirect("account_login")


def no_local_password(get_response: Answer) -> Answer:
    """Refuse the pages about passwords and second steps to people who sign in by their clinic's service.

    A middleware.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(_LOCAL_PAGES) and request.user.is_authenticated and comes_by_provider(request.user):
            return render(request, "account/by_provider.html", status=403)
        return get_response(request)

    return middleware


class Button(NamedTuple):
    """A sign-in service's button on the sign-in page."""

    address: str
    words: str


def listed() -> list[Button]:
    """List the buttons of the sign-in services. Archived clinics have none."""
    listed_services = {slug: service.name for slug, service in settings.OIDC_PROVIDERS.items() if service.listed}
    if not listed_services:
        return []
    clinics = Clinic.objects.filter(slug__in=listed_services, archived_at=None).order_by("slug")
    return [
        Button(reverse("provider", args=[slug]), listed_services[slug])
        for slug in clinics.values_list("slug", flat=True)
    ]


def _sign_in(request: HttpRequest, slug: str, claims: dict[str, object]) -> HttpResponseBase:
    """Sign in the member whom the claims name. For a member who is signed in already, it is a fresh proof."""
    now = database_now()
    clinic = Clinic.objects.filter(slug=slug, archived_at=None).first()
    if clinic is None:
        raise Http404
    try:
        member = member_for(clinic, _known(slug), claims, now=now)
    except Stranger:
        refused(clinic, _known(slug), claims, now=now)
        return render(request, "account/stranger.html", {"provider": _known(slug)}, status=403)
    if not member.user.is_active:
        return redirect("account_inactive")
    wanted = str(request.session.get(_NEXT) or reverse("messages"))
    is_signed_in = request.user.is_authenticated and request.user.pk == member.user.pk
    if is_signed_in and is_fresh_sign_in(claims, now.timestamp(), must_tell=_known(slug).auth_time):
        request.session[PROVED] = now.timestamp()
        proof.renew(request)
        resumed: HttpResponseBase | None = resume_request(request) if STATE_SESSION_KEY in request.session else None
        return resumed or redirect(wanted)
    request.session.flush()
    request.user = AnonymousUser()
    request.session[SESSION_CLINIC], request.session[CAME_BY] = str(clinic.id), PROVIDER
    answer: HttpResponseBase = perform_login(request, Login(user=member.user, redirect_url=wanted))
    return answer


def _too_weak(request: HttpRequest, slug: str) -> HttpResponse:
    """Refuse a person whose sign-in at the service is not confirmed to be of the demanded kind."""
    if clinic := Clinic.objects.filter(slug=slug, archived_at=None).first():
        too_weak(clinic, now=database_now())
    return render(request, "account/too_weak.html", {"provider": _known(slug)}, status=403)


def is_fresh_sign_in(claims: dict[str, object], now: float, *, must_tell: bool) -> bool:
    """Return whether the person signed in at the service lately. A service that need not say when is trusted.

    An instant in the future, as of a service that counts in milliseconds, says nothing.
    """
    at = claims.get("auth_time", None if must_tell else now)
    if not isinstance(at, int | float):
        return False
    # Comparisons also take numbers that are too large to be subtracted.
    return now - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT < at <= now + id_token.LEEWAY_SECONDS


def _known(slug: str) -> Provider:
    provider: Provider | None = settings.OIDC_PROVIDERS.get(slug)
    if provider is None:
        raise Http404
    return provider


def _service(request: HttpRequest, slug: str) -> _Service:
    known = _known(slug)
    app = SocialApp(
        provider=_Service.id,
        provider_id=slug,
        name=known.name,
        client_id=known.client_id,
        secret=known.secret(),
        settings={"server_url": known.issuer.rstrip("/"), "issuer": known.issuer, "oauth_pkce_enabled": True},
    )
    return _Service(request, app=app)


def _or_failure_page(request: HttpRequest, slug: str, step: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Do a step of the protocol. Answer 502 if the service can't be reached or breaks the protocol.

    Answer 429 if too many sign-ins wait for slow services.
    """
    try:
        with SIGN_INS.taken(slug):
            return step()
    except Busy as busy:
        answer = render(request, "account/provider_busy.html", {"sentence": str(busy)}, status=429)
        answer["Retry-After"] = str(busy.seconds)
        return answer
    except _BROKEN:
        return render(request, "account/provider_away.html", {"provider": _known(slug)}, status=502)
