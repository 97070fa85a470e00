"""A service's own GET /health and GET /metrics, for monitoring. The web service's pages and API are elsewhere."""

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
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from companion.service.metrics import REGISTRY

log = structlog.stdlib.get_logger(__name__)
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  (compared with, not bound to)
Health = Callable[[], dict[str, object]]


class PortTaken(Exception):
    """Another program has the port, or the address isn't this machine's. The message tells people what to do."""


@dataclass(frozen=True, slots=True)
class HealthPort:
    """An open health port."""

    url: str
    """Ends without a slash."""
    close: Callable[[], None]
    """Stop answering, and return once the port is free."""


def serve(health: Health, *, host: str, port: int) -> HealthPort:
    """Answer in threads of its own until closed; port 0 takes any free port. Raises PortTaken.

    `health` is called at each GET /health, in such a thread; a `status` of "down" answers 503.
    """
    try:
        server = _Server((host, port), health)
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

    def __init__(self, address: tuple[str, int], health: Health) -> None:
        self.health = health
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own method, which looks up the host's name and may wait long for it.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        if isinstance(sys.exception(), ConnectionError):
            # The client did not wait for the answer.
            return
        log.exception("the health port failed to answer")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/health":
            self._health()
        elif path == "/metrics":
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"Here are /health and /metrics.\n")

    def _health(self) -> None:
        health = self.server.health()
        status = HTTPStatus.SERVICE_UNAVAILABLE if health.get("status") == "down" else HTTPStatus.OK
        self._answer(status, "application/json", json.dumps(health, default=str).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
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
