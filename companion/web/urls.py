"""The addresses of the pages."""

from django.urls import include, path, re_path
from django.views.generic import RedirectView

from companion.web import (
    accounts,
    calendar,
    control,
    draft_pages,
    enrolling,
    inbox,
    many_patients,
    media,
    message,
    messages,
    occurrence,
    patient_import,
    patients,
    phone,
    planning,
    series,
    set_up,
    settings_pages,
    sources,
    undoing,
)

_messages = [
    path("scheduled-messages/undo", undoing.undo),
    path("scheduled-messages", messages.index),
    path("scheduled-messages/many", messages.many),
    path("scheduled-messages/new", planning.new),
    path("scheduled-messages/new/recipients", planning.recipients),
    path("scheduled-messages/new/preview", planning.look),
    path("scheduled-messages/drafts", draft_pages.save),
    path("scheduled-messages/drafts/<uuid:key>/discard", draft_pages.discard),
    path("scheduled-messages/calendar", calendar.index),
    path("scheduled-messages/series", series.index),
    path("scheduled-messages/series/<uuid:schedule_id>", series.show),
    path("scheduled-messages/series/<uuid:schedule_id>/edit", planning.change),
    *(
        path(f"scheduled-messages/series/<uuid:schedule_id>/{deed}", series.act, {"deed": deed})
        for deed in ("pause", "resume", "cancel", "skip", "unskip", "reviewed")
    ),
    path("scheduled-messages/series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>", occurrence.show),
    path("scheduled-messages/series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>/edit", occurrence.edit),
    path("scheduled-messages/series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>/cancel", occurrence.cancel),
    path("scheduled-messages/<uuid:message_id>", message.show),
    path("scheduled-messages/<uuid:message_id>/cancel", message.cancel),
    path("scheduled-messages/<uuid:message_id>/send-now", message.send_now),
    path("scheduled-messages/<uuid:message_id>/retry", message.retry),
    path("scheduled-messages/<uuid:message_id>/edit", message.edit),
]

_patients = [
    path("patients", patients.index),
    path("patients/new", patients.new),
    path("patients/import", patient_import.bring),
    path("patients/cohorts", patients.cohorts),
    path("patients/sources", sources.index),
    path("patients/sources/fhir", sources.set_fhir),
    path("patients/sources/sync", sources.fetch),
    path("patients/sources/remove", sources.remove),
    path("patients/sources/<uuid:run_id>", sources.show),
    path("patients/<uuid:patient_id>", patients.show),
    path("patients/<uuid:patient_id>/edit", patients.change),
    path("patients/<uuid:patient_id>/pause", patients.pause),
    path("patients/<uuid:patient_id>/invite", enrolling.invite),
    path("patients/<uuid:patient_id>/reach", enrolling.reachable),
    path("patients/<uuid:patient_id>/consent", enrolling.note_consent),
    path("patients/cards", enrolling.cards),
    path("patients/notes/<uuid:note_id>/seen", enrolling.see_note),
    path("patients/many", many_patients.act),
]

_inbox = [
    path("inbox", inbox.index),
    path("inbox/news", inbox.news),
    path("inbox/<uuid:conversation_id>", inbox.show),
    path("inbox/<uuid:conversation_id>/answer", inbox.answer),
    *(
        path(f"inbox/<uuid:conversation_id>/{deed}", inbox.act, {"deed": deed})
        for deed in ("take", "assign", "give-back", "done")
    ),
    path("patients/<uuid:patient_id>/said", inbox.said_of),
    path("media/<uuid:media_id>", media.show),
    path("media/<uuid:media_id>/opened", media.opened),
]

_settings = [
    path("settings/help", settings_pages.change_help),
    path("settings/set-up", set_up.ask),
    path("settings", settings_pages.index),
    path("settings/clinic", settings_pages.change_defaults),
    path("settings/bot", settings_pages.bot),
    path("settings/members", settings_pages.add_member),
    path("settings/members/<uuid:member_id>", settings_pages.change_member),
    path("settings/keys", settings_pages.add_key),
    path("settings/keys/<uuid:key_id>/revoke", settings_pages.revoke_key),
]

_sandbox = [
    path("sandbox", phone.index),
    path("sandbox/phones", phone.new),
    path("sandbox/<int:telegram_id>", phone.index),
    path("sandbox/<int:telegram_id>/act", phone.act),
]

urlpatterns = [
    path("", RedirectView.as_view(url="/scheduled-messages")),
    *_messages,
    *_patients,
    *_inbox,
    path("mcp", control.panel),
    path("mcp/checks", control.checks),
    path("banner", control.banner),
    *_settings,
    *_sandbox,
    path("clinic", accounts.choose_clinic),
    path("sign-in/<str:uid>/<str:token>", accounts.sign_in_by_link),
    # allauth would send mail here; ours has none to send.
    path("accounts/password/reset/", accounts.forgotten),
    re_path(r"^accounts/(?:email|confirm-email|password/reset|login/code)/", accounts.nowhere),
    path("accounts/", include("allauth.account.urls")),
]
