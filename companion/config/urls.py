"""All addresses. Which page or call stands where is said in the rooms they belong to."""

from django.urls import include, path

handler500 = "companion.web.trouble.server_error"
urlpatterns = [
    path("", include("companion.api.urls")),
    path("", include("companion.sandbox.urls")),
    path("mcp/", include("companion.web.control_urls")),
    # The accounts' addresses stand there too, beside the pages that take allauth's place.
    path("", include("companion.web.urls")),
]
