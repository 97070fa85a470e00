"""Name the addresses of the audit trail."""

from django.urls import path

from companion.web.audit import pages

urlpatterns = [
    path("", pages.index, name="audit"),
    path("/export", pages.export, name="audit_export"),
]
