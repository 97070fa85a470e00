"""The addresses of all rooms. Each room lists its addresses."""

from django.urls import include, path

handler400 = "companion.web.trouble.unreadable"
handler404 = "companion.web.trouble.nothing_here"
handler500 = "companion.web.trouble.server_error"
urlpatterns = [
    path("", include("companion.api.urls")),
    path("", include("companion.sandbox.urls")),
    path("", include("companion.web.urls")),
]
