"""All addresses. Which page or call stands where is said in the rooms they belong to."""

from django.urls import include, path

urlpatterns = [
    path("", include("companion.api.urls")),
    path("", include("companion.sandbox.urls")),
    path("mcp/", include("companion.web.control_urls")),
    # The accounts' addresses stand there too, beside the pages that take allauth's place.
    path("", include("companion.web.urls")),
]
