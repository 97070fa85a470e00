"""Name the addresses of the clinic's settings and of its first set-up."""

from django.urls import path

from companion.web.settings import clinic, members_and_keys, page, set_up

urlpatterns = [
    path("", page.index, name="settings"),
    path("/set-up", set_up.ask, name="set_up"),
    path("/help", clinic.change_help, name="settings_help"),
    path("/clinic", clinic.change_defaults, name="settings_clinic"),
    path("/bot", clinic.bot, name="settings_bot"),
    path("/members", members_and_keys.add_member, name="settings_members"),
    path("/members/<uuid:member_id>", members_and_keys.change_member, name="settings_member"),
    path("/sign-in", clinic.change_sign_in, name="settings_sign_in"),
    path("/keys", members_and_keys.add_key, name="settings_keys"),
    path("/keys/<uuid:key_id>/revoke", members_and_keys.revoke_key, name="settings_key_revoke"),
]
