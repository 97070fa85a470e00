"""`GET /metrics` of the web: Prometheus' numbers of this process, for those who hold an API key."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from ninja.errors import AuthenticationError, HttpError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from companion.api.auth import caller_of
from companion.api.problems import problem
from companion.service.metrics import REGISTRY


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers; a role as small as viewer's is enough."""
    try:
        caller_of(request)
    except AuthenticationError:
        return problem(401)
    except HttpError as error:
        return problem(error.status_code, error.message)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
