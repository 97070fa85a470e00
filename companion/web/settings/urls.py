"""Name the addresses of the clinic's settings and of its first set-up."""

from django.urls import path

from companion.web.settings import pages, set_up

urlpatterns = [
    path("", pages.index, name="settings"),
    path("/set-up", set_up.ask, name="set_up"),
    path("/help", pages.change_help, name="settings_help"),
    path("/clinic", pages.change_defaults, name="settings_clinic"),
    path("/bot", pages.bot, name="settings_bot"),
    path("/members", pages.add_member, name="settings_members"),
    path("/members/<uuid:member_id>", pages.change_member, name="settings_member"),
    path("/sign-in", pages.change_sign_in, name="settings_sign_in"),
    path("/keys", pages.add_key, name="settings_keys"),
    path("/keys/<uuid:key_id>/revoke", pages.revoke_key, name="settings_key_revoke"),
]
