"""Name the addresses of the pages, folder by folder."""

from django.urls import include, path
from django.views.generic import RedirectView

from companion.web.control import pages as control
from companion.web.security_txt import security_txt

# A folder's own addresses begin with a slash or are empty: APPEND_SLASH is off, and no page's address ends in a slash.
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="messages")),
    path("scheduled-messages", include("companion.web.messages.urls")),
    path("scheduled-messages", include("companion.web.planning.urls")),
    path("scheduled-messages", include("companion.web.series.urls")),
    path("patients", include("companion.web.patients.urls")),
    path("mcp", include("companion.web.control.urls")),
    path("banner", control.banner, name="banner"),
    path("audit", include("companion.web.audit.urls")),
    path("settings/webhooks", include("companion.web.webhooks.urls")),
    path("clinics", include("companion.web.operator.urls")),
    path("settings", include("companion.web.settings.urls")),
    path("sandbox", include("companion.web.sandbox.urls")),
    path(".well-known/security.txt", security_txt, name="security_txt"),
    path("", include("companion.web.inbox.urls")),
    path("", include("companion.web.account.urls")),
]
