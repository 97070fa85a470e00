"""Name the addresses of the clinic's webhooks."""

from django.urls import path

from companion.web.webhooks import pages

urlpatterns = [
    path("", pages.index, name="webhooks"),
    path("/new", pages.add, name="webhook_new"),
    path("/<uuid:webhook_id>", pages.show, name="webhook"),
    path("/<uuid:webhook_id>/act", pages.act, name="webhook_act"),
    path("/<uuid:webhook_id>/kinds", pages.choose, name="webhook_kinds"),
    path("/<uuid:webhook_id>/replay", pages.replay, name="webhook_replay"),
    path("/<uuid:webhook_id>/retry/<uuid:delivery_id>", pages.retry, name="webhook_retry"),
]
