"""A service's own GET /health and GET /metrics, for monitoring. The web service's pages and API are elsewhere.

Strangers hear whether the service lives. Its own words are for the processes of this installation, and its numbers,
unless the port is open to this machine alone, for API keys.
"""

import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final
from urllib.parse import urlsplit

import structlog
from django.db import Error
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from companion.service.fellows import is_fellow
from companion.service.metrics import REGISTRY

log = structlog.stdlib.get_logger(__name__)
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  (compared with, not bound to)
_PLAIN: Final = "text/plain; charset=utf-8"
Health = Callable[[], dict[str, object]]
Readers = Callable[[str, str], bool]
"""Judge whether an `Authorization` header from this address may read the metrics.

Raises django.db.Error while that can't be known.
"""


class PortTaken(Exception):
    """Another program has the port, or the address isn't this machine's. The message tells people what to do."""


@dataclass(frozen=True, slots=True)
class HealthPort:
    """An open health port."""

    url: str
    """Ends without a slash."""
    close: Callable[[], None]
    """Stop answering, and return once the port is free."""


def serve(health: Health, *, host: str, port: int, may_read_metrics: Readers = lambda *_: False) -> HealthPort:
    """Answer in threads of its own until closed; port 0 takes any free port. Raises PortTaken.

    `health` is called at each GET /health, in such a thread; a `status` of "down" answers 503.
    """
    try:
        server = _Server((host, port), health, may_read_metrics)
    except OSError as error:
        raise PortTaken(
            f"Port {port} on {host}, for health and metrics, can't be had ({error.strerror}). Stop what uses it, or "
            f"choose another by COMPANION_HEALTH_PORT. Services of one host that share it need `--share-host`."
        ) from None
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="health-port", daemon=True
    )
    thread.start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return HealthPort(_url(host, server.server_address[1]), close)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # An answer that hangs must not keep a service from stopping.
    block_on_close = False

    def __init__(self, address: tuple[str, int], health: Health, may_read_metrics: Readers) -> None:
        self.health, self.may_read_metrics = health, may_read_metrics
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own method, which looks up the host's name and may wait long for it.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.for_this_machine = ipaddress.ip_address(self.server_name.partition("%")[0]).is_loopback

    def handle_error(self, request: object, client_address: object) -> None:
        if isinstance(sys.exception(), ConnectionError):
            # The client did not wait for the answer.
            return
        log.exception("the health port failed to answer")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        try:
            path = urlsplit(self.path).path
        except ValueError:
            path = ""
        if path == "/health":
            self._health()
        elif path == "/metrics":
            self._metrics()
        else:
            self._answer(HTTPStatus.NOT_FOUND, _PLAIN, b"Here are /health and /metrics.\n")

    def _health(self) -> None:
        health = self.server.health()
        down = health.get("status") == "down"
        if not is_fellow(self._credentials()):
            health = {"status": "not alive" if down else "alive"}
        status = HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
        self._answer(status, "application/json", json.dumps(health, default=str).encode())

    def _metrics(self) -> None:
        try:
            allowed = self.server.for_this_machine or self.server.may_read_metrics(
                self._credentials(), str(self.client_address[0])
            )
        except Error:
            words = b"The database, which knows the API keys, can't be used just now.\n"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, words)
            return
        if allowed:
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
        else:
            self._answer(HTTPStatus.UNAUTHORIZED, _PLAIN, b"Send an API key, as the web's /metrics asks for.\n")

    def _credentials(self) -> str:
        return self.headers.get("Authorization", "")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because monitoring asks all day."""


def _url(host: str, port: int) -> str:
    # The port is bound to all addresses, so give the host's name, by which others may know it.
    name = socket.gethostname() if host in _EVERYWHERE else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
