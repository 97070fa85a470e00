"""Name the addresses of the planning form and of its drafts."""

from django.urls import path

from companion.web.planning import draft_pages, live_parts, pages

urlpatterns = [
    path("/new", pages.new, name="planning"),
    path("/new/recipients", live_parts.recipients, name="planning_recipients"),
    path("/new/preview", live_parts.preview_part, name="planning_preview"),
    path("/drafts", draft_pages.save, name="draft_save"),
    path("/drafts/<uuid:key>/discard", draft_pages.discard, name="draft_discard"),
    path("/series/<uuid:schedule_id>/edit", pages.change, name="series_edit"),
]
