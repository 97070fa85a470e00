"""Name the address of the operators' page."""

from django.urls import path

from companion.web.operator import pages

urlpatterns = [path("", pages.index, name="all_clinics")]
