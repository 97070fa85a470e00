"""A service's GET /health and GET /metrics, for monitoring, at a separate port. Pages and API are elsewhere.

Without a token the answer only says whether the service is alive. Processes of this installation get details. Metrics
need an API key, unless only this machine can reach the port.
"""

import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final, cast
from urllib.parse import urlsplit

import structlog
from django.db import Error
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from companion.service.bare_answer import HEADERS
from companion.service.fellows import is_fellow
from companion.service.metrics import REGISTRY
from companion.service.timeouts import cut_off_after

log = structlog.stdlib.get_logger(__name__)
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  (compared with, not bound to)
_PLAIN: Final = "text/plain; charset=utf-8"
_CONNECTIONS: Final = 16
"""The connections that are open at once. A further connection ends the oldest: strangers who hold connections open
must not keep monitors out, or take the service's files and its database's connections.
"""
_REQUEST_SECONDS: Final = 10
Health = Callable[[], dict[str, object]]
Readers = Callable[[str, str], bool]
"""A function that says whether an `Authorization` header from this address may read the metrics.

Raises django.db.Error if the database, which holds the keys, can't be asked.
"""


class PortTaken(Exception):
    """Another program uses the port, or the address isn't this machine's. The message tells people what to do."""


@dataclass(frozen=True, slots=True)
class HealthPort:
    """An open health port."""

    url: str
    """Ends without a slash."""
    close: Callable[[], None]
    """Stop answering, and return once the port is free."""


def serve(health: Health, *, host: str, port: int, may_read_metrics: Readers = lambda *_: False) -> HealthPort:
    """Answer requests in separate threads until closed. Port 0 takes any free port. Raises PortTaken.

    `health` is called for each GET /health, in one of these threads. If its `status` is "down", the answer is 503.
    """
    try:
        server = _Server((host, port), health, may_read_metrics)
    except OSError as error:
        raise PortTaken(
            f"Port {port} on {host}, for health and metrics, can't be used ({error.strerror}). Stop the program that "
            f"uses it, or choose another port by COMPANION_HEALTH_PORT. Services on one host need `--share-host`."
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
        self._open: dict[socket.socket, bool] = {}
        """The open connections, the oldest first, and whether each was ended to make room."""
        self._lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's method would look up the host's name, which may take long.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.for_this_machine = ipaddress.ip_address(self.server_name.partition("%")[0]).is_loopback

    def verify_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> bool:
        """Make room for the connection. Returns False if even the ended connections still hold their threads."""
        with self._lock:
            if len(self._open) >= 2 * _CONNECTIONS:
                return False
            waiting = [connection for connection, ended in self._open.items() if not ended]
            for oldest in waiting[: len(waiting) + 1 - _CONNECTIONS]:
                self._open[oldest] = True
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[cast("socket.socket", request)] = False
        return True

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        with self._lock:
            self._open.pop(cast("socket.socket", request), None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        if isinstance(sys.exception(), ConnectionError):
            # The client did not wait for the answer.
            return
        log.exception("the health port failed to answer")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    error_message_format, error_content_type = "%(code)d %(message)s\n", _PLAIN

    def handle(self) -> None:
        with cut_off_after(_REQUEST_SECONDS, self.connection.fileno()):
            super().handle()

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

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body: some monitors ask so."""
        self.do_GET()

    def version_string(self) -> str:
        """Name the server to strangers, without Python's version."""
        return "companion"

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

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
            words = b"The database, which holds the API keys, can't be used just now.\n"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, words)
            return
        if allowed:
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
        else:
            self._answer(HTTPStatus.UNAUTHORIZED, _PLAIN, b"Send an API key: Authorization: Bearer KEY.\n")

    def _credentials(self) -> str:
        return self.headers.get("Authorization", "")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because monitoring sends requests all day."""


def _url(host: str, port: int) -> str:
    # If the port is bound to all addresses, other hosts reach it by the host's name.
    name = socket.gethostname() if host in _EVERYWHERE else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
