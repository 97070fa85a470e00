"""The API's addresses. They are included at the root, so each path is complete."""

from django.urls import path

from companion import PRODUCT
from companion.api import (
    cohorts,
    control,
    enrolments,
    evidence,
    health,
    inbox,
    index,
    many_patients,
    media,
    messages,
    occurrences,
    opt_outs,
    patients,
    rights,
    schedules,
    sources,
)
from companion.api.auth import Needs
from companion.api.docs import ReferencePage
from companion.api.metrics import alive, metrics, ready
from companion.api.openapi import SchedulerAPI
from companion.api.problems import add_handlers
from companion.api.reading import StrictParser
from companion.clinics.models import Role

api = SchedulerAPI(
    title=PRODUCT,
    version="1",
    description="Plans messages to patients, and follows each message until Telegram has accepted it.",
    openapi_url="/scheduler/openapi.json",
    docs_url="/scheduler/docs",
    docs=ReferencePage(),
    parser=StrictParser(),
    # Only admins may call an operation that declares no role.
    auth=[Needs(Role.ADMIN)],
    urls_namespace="api",
)
add_handlers(api)
for _router in (
    index.router,
    schedules.router,
    messages.router,
    occurrences.router,
    patients.router,
    rights.router,
    inbox.router,
    cohorts.router,
    sources.router,
    enrolments.router,
    opt_outs.router,
    many_patients.router,
    media.router,
    evidence.router,
):
    api.add_router("/scheduler", _router)
api.add_router("", health.router)
api.add_router("", control.router)

urlpatterns = [
    path("api/", api.urls),
    path("metrics", metrics),
    path("healthz", alive),
    path("readyz", ready),
]
