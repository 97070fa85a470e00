"""A sign-in service between us and the real service, which signs by its own key and may say something else."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Claims = dict[str, object]
_DROPPED: Final = ("content-length", "transfer-encoding", "content-encoding", "connection", "server", "date")


WEAK: Final = "weak"
"""The name of a key that is too short."""


@cache
def a_key(name: str) -> rsa.RSAPrivateKey:
    """A private key for each name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if name == WEAK else 2048)


def signed(claims: Claims, *, key: str = "own", algorithm: str = "RS256", **headers: object) -> str:
    """An ID token signed by this key; a header that is None is left out."""
    told = {name: value for name, value in ({"kid": "k1"} | headers).items() if value}
    return jwt.encode(claims, a_key(key), algorithm=algorithm, headers=told)


def keys_of(name: str = "own") -> list[dict[str, object]]:
    """The service's list of keys, which holds this key alone."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(a_key(name).public_key(), as_dict=True)
    return [public | {"kid": "k1", "use": "sig", "alg": "RS256"}]


@dataclass
class Relay:
    """The words that the service says instead, and the paths for which it was asked."""

    address: str = ""
    token: Callable[[Claims], str] = signed
    """Make the ID token from the claims of the real service."""
    keys: list[dict[str, object]] = field(default_factory=keys_of)
    described: Claims = field(default_factory=dict)
    """Values put into the service's description of itself."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Bodies that are sent instead, by path."""
    breaks_off: bool = False
    """True: each body is shorter than its head promises."""
    leads: dict[str, str] = field(default_factory=dict)
    """Redirects by path."""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> bytes:
        match path:
            case _ if path in self.bodies:
                return self.bodies[path]
            case "/jwks":
                return json.dumps({"keys": self.keys}).encode()
            case "/.well-known/openid-configuration":
                return json.dumps(json.loads(body) | self.described).encode()
            case "/oauth2/token":
                said = json.loads(body)
                claims = jwt.decode(said["id_token"], options={"verify_signature": False})
                return json.dumps(said | {"id_token": self.token(claims)}).encode()
            case _:
                return body


@contextmanager
def relaying(issuer: str) -> Iterator[Relay]:
    """Run the relay before the real service."""
    relay = Relay()

    class Handler(BaseHTTPRequestHandler):
        def _relay(self) -> None:
            path = self.path.partition("?")[0]
            relay.asked.append(path)
            if path in relay.leads:
                self.send_response(302)
                self.send_header("Location", relay.leads[path])
                self.end_headers()
                return
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
            real = httpx.request(self.command, issuer + self.path, content=content, headers=headers)
            told = relay.answer(path, real.content)
            self.send_response(real.status_code)
            for name, value in real.headers.items():
                if name.lower() not in _DROPPED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(told) + relay.breaks_off))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = _relay  # noqa: N815  (the names of http.server)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        relay.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield relay
        server.shutdown()
