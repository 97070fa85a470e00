"""The reference page: Swagger UI, from the files that ninja brings along. It loads nothing from other servers."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

POLICY: Final = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles on its elements
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class ReferencePage(Swagger):
    """Swagger UI with a content security policy, and without the badge that swagger.io would serve."""

    def __init__(self) -> None:
        super().__init__(settings={"validatorUrl": None, "persistAuthorization": False})

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: object) -> HttpResponse:
        """Render the page with its content security policy."""
        response = super().render_page(request, api, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response
