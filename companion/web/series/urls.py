"""Name the addresses of the series: their list, and each series' page and acts."""

from typing import Final

from django.urls import path

from companion.web.series import pages

_ACTIONS: Final = ("pause", "resume", "cancel", "skip", "unskip", "reviewed")

urlpatterns = [
    path("/series", pages.index, name="series_list"),
    path("/series/<uuid:schedule_id>", pages.show, name="series"),
    *(
        path(f"/series/<uuid:schedule_id>/{action}", pages.act, {"action": action}, name=f"series_{action}")
        for action in _ACTIONS
    ),
]
