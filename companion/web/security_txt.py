"""/.well-known/security.txt: where to report a weakness of this installation (RFC 9116)."""

import datetime as dt
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

_VALID_FOR: Final = dt.timedelta(days=180)
"""The file is made for each answer, so it never expires while the server runs. RFC 9116 advises less than a year."""


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Answer with the operator's contact. Needs neither a database nor a sign-in."""
    environment = settings.COMPANION
    expires = (timezone.now() + _VALID_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: {environment.security_contact_uri}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {environment.public_url}/.well-known/security.txt",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
