"""Name the addresses of the series: their list, and the page of each with what can be done to it."""

from django.urls import path

from companion.web.series import pages

_ACTS = ("pause", "resume", "cancel", "skip", "unskip", "reviewed")

urlpatterns = [
    path("/series", pages.index, name="series_list"),
    path("/series/<uuid:schedule_id>", pages.show, name="series"),
    *(path(f"/series/<uuid:schedule_id>/{act}", pages.act, {"deed": act}, name=f"series_{act}") for act in _ACTS),
]
