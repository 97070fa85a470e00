"""A mail server and a web server for webhooks, on real sockets. Each keeps what it received."""

import email
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer


@dataclass(slots=True)
class MailBox:
    """The mails that arrived. `refuses` is the answer to every recipient, if set."""

    url: str = ""
    mails: list[Message] = field(default_factory=list)
    refuses: str = ""


@dataclass(slots=True)
class Hook:
    """The posted headers and body. `status` is the answer."""

    url: str = ""
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    status: int = 204
    location: str = ""
    more: dict[str, str] = field(default_factory=dict)
    """Further headers of the answer."""
    body: bytes = b""
    connections: int = 0
    before_answer: Callable[[], object] = lambda: None
    """A function that runs once a POST has come, before it is answered."""


@contextmanager
def a_mail_server() -> Iterator[MailBox]:
    """An SMTP server without encryption that accepts any mail."""
    box = MailBox()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline():
                match line.split()[0].upper():
                    case b"RCPT" if box.refuses:
                        self.say(box.refuses)
                    case b"DATA":
                        self.say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        box.mails.append(email.message_from_bytes(b"".join(lines)))
                        self.say("250 taken")
                    case b"QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 yes")

        def say(self, words: str) -> None:
            self.wfile.write(words.encode() + b"\r\n")

    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)) as port:
        box.url = f"smtp://127.0.0.1:{port}?tls=no"
        yield box


@contextmanager
def a_program(*, keeps: int = 0) -> Iterator[Hook]:
    """A web server that accepts any POST. It keeps a connection for `keeps` calls, then ends it without an answer."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keeps else "HTTP/1.0"
        left = keeps

        def setup(self) -> None:
            hook.connections += 1
            super().setup()

        def do_POST(self) -> None:
            self.left -= 1
            self.close_connection = self.left <= 0
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append((dict(self.headers.items()), body))
            hook.before_answer()
            self.send_response(hook.status)
            if hook.location:
                self.send_header("Location", hook.location)
            for name, value in hook.more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(hook.body)

        def do_GET(self) -> None:
            hook.gets.append(self.path)
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with served(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        hook.url = f"http://127.0.0.1:{port}/alerts"
        yield hook


@contextmanager
def served(server: socketserver.TCPServer) -> Iterator[int]:
    """Run the server in a thread until the block ends, and give its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
