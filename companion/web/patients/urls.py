"""Name the addresses of the patients: their list, the page of each, invitations, imports and sources."""

from django.urls import path

from companion.web.inbox import pages as inbox
from companion.web.patients import cohorts, csv_import, enrolling, form, pages, rights, selection, sources

urlpatterns = [
    path("", pages.index, name="patients"),
    path("/new", form.new, name="patient_new"),
    path("/import", csv_import.import_file, name="patients_import"),
    path("/cohorts", cohorts.index, name="cohorts"),
    path("/cards", enrolling.cards, name="invitation_cards"),
    path("/many", selection.act, name="patients_selected"),
    path("/notes/<uuid:note_id>/seen", enrolling.see_note, name="patient_note_seen"),
    path("/sources", sources.index, name="sources"),
    path("/sources/fhir", sources.set_fhir, name="source_fhir"),
    path("/sources/sync", sources.fetch, name="source_sync"),
    path("/sources/remove", sources.remove, name="source_remove"),
    path("/sources/<uuid:run_id>", sources.show, name="source_run"),
    path("/<uuid:patient_id>", pages.show, name="patient"),
    path("/<uuid:patient_id>/edit", form.change, name="patient_edit"),
    path("/<uuid:patient_id>/pause", pages.pause, name="patient_pause"),
    path("/<uuid:patient_id>/erase", rights.erase, name="patient_erase"),
    path("/<uuid:patient_id>/export", rights.export, name="patient_export"),
    path("/<uuid:patient_id>/merge", rights.merge, name="patient_merge"),
    path("/<uuid:patient_id>/invite", enrolling.invite, name="patient_invite"),
    path("/<uuid:patient_id>/reach", enrolling.reachable, name="patient_reach"),
    path("/<uuid:patient_id>/consent", enrolling.note_consent, name="patient_consent"),
    path("/<uuid:patient_id>/conversation", inbox.conversation_of_patient, name="patient_conversation"),
]
