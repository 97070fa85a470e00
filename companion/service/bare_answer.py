"""The headers of answers that are no pages: a browser loads nothing for such an answer, and doesn't frame or store it.

The health ports and the web server's own refusals send all of these headers, since Django adds none there.
"""

from collections.abc import Mapping
from typing import Final

POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
