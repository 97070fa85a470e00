"""Serve the Bot API over HTTP at `/sandbox/bot<token>/<method>` and files at `/sandbox/file/bot<token>/<path>`.

The methods are in methods.py. Every address answers 404 unless settings.SANDBOX_ON. The path holds a token, so
nothing here logs it.
"""

import hashlib
import json

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from companion.sandbox import payloads
from companion.sandbox.methods import METHODS
from companion.sandbox.models import SandboxBot, SandboxFile
from companion.sandbox.rules import Refused, bad


def token_hash(token: str) -> str:
    """Hash a token for the database. A token has 200 random bits, so a plain hash can't be reversed."""
    return hashlib.sha256(token.encode()).hexdigest()


@csrf_exempt
def bot_api(request: HttpRequest, token: str, method: str) -> HttpResponse:
    """Answer a bot's call."""
    response: HttpResponse
    try:
        response = JsonResponse({"ok": True, "result": _result(request, token, method)})
    except Refused as refusal:
        response = JsonResponse(_refusal(refusal), status=refusal.error_code)
        if refusal.retry_after is not None:
            response["Retry-After"] = str(refusal.retry_after)
    # Without this, Django logs the path of every answer from 400 on, and the path holds the token.
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's mark, unknown to the stubs
    return response


@csrf_exempt
def file(request: HttpRequest, token: str, path: str) -> HttpResponse:
    """Serve a file that a phone has sent, at the path that getFile gave."""
    response: HttpResponse
    try:
        found = _file_at(_bot(request, token), path)
        response = HttpResponse(bytes(found.content), content_type="application/octet-stream")
    except Refused as refusal:
        response = JsonResponse(_refusal(refusal), status=refusal.error_code)
    response._has_been_logged = True  # type: ignore[attr-defined]  # as above
    return response


def _file_at(bot: SandboxBot, path: str) -> SandboxFile:
    digits = path.rpartition("_")[2]
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
    found = SandboxFile.objects.filter(bot=bot, pk=number).first()
    if found is None or payloads.file_path(found) != path:
        raise Refused(404, "Not Found")
    return found


def _result(request: HttpRequest, token: str, method: str) -> object:
    bot = _bot(request, token)
    call = METHODS.get(method.lower())
    if call is None:
        raise Refused(404, "Not Found: method not found")
    return call(bot, _arguments(request), timezone.now())


def _bot(request: HttpRequest, token: str) -> SandboxBot:
    if not settings.SANDBOX_ON or request.method not in ("GET", "POST"):
        raise Refused(404, "Not Found")
    if ":" not in token or token.startswith("0") or len(token) > 80:
        raise Refused(401, "Unauthorized: invalid token specified")
    bot = SandboxBot.objects.filter(token_hash=token_hash(token)).first()
    if bot is None:
        raise Refused(401, "Unauthorized")
    return bot


def _arguments(request: HttpRequest) -> dict[str, str]:
    """Return all arguments as texts, from the query and from the body, which may be a form or JSON."""
    try:
        args = {**request.GET.dict(), **request.POST.dict()}
        if request.content_type == "application/json":
            args |= _json_arguments(request.body)
    except RequestDataTooBig:
        raise Refused(413, "Request Entity Too Large") from None
    except (MultiPartParserError, SuspiciousOperation):
        raise bad("can't parse the request's body") from None
    return {name: str(value) for name, value in args.items()}


def _json_arguments(body: bytes) -> dict[str, str]:
    if not body:
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise bad("can't parse the request's body as a JSON object") from None
    if not isinstance(fields, dict):
        raise bad("can't parse the request's body as a JSON object")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
        if value is not None
    }


def _refusal(refusal: Refused) -> dict[str, object]:
    fields: dict[str, object] = {
        "ok": False,
        "error_code": refusal.error_code,
        "description": refusal.description,
    }
    if refusal.retry_after is not None:
        fields["parameters"] = {"retry_after": refusal.retry_after}
    return fields
