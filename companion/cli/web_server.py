"""The server of the pages and the API: its socket, its limits, and its clean end. services.py starts it.

Not here: what the server answers (the rooms web and api).
"""

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    import socket
    import threading

    from waitress.server import TcpWSGIServer

_THREADS: Final = 16
_CONNECTIONS: Final = 1000
_BODY_BYTES: Final = 100 * 2**20
"""Far above any allowed request, so that people see the product's refusal and not the server's."""
_HEADER_BYTES: Final = 16 * 2**10
"""The limit for a request's headers. Python needs seconds to read a very long cookie (CVE-2024-7592)."""
_ANSWER_BYTES: Final = 32 * 2**20
"""The part of an answer that may wait for a slow reader while its thread serves others: any file of a patient."""
_STOP_SECONDS: Final = 15
_POLLS_SECONDS: Final = 3


def make_server() -> "TcpWSGIServer":
    """Create the server of pages and API, with its limits."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from waitress.server import create_server

    from companion.cli.web_refusals import Channel

    own = settings.COMPANION
    server: TcpWSGIServer = create_server(
        get_wsgi_application(),
        sockets=[listening(own.host, own.port)],
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        asyncore_use_poll=True,
        max_request_header_size=_HEADER_BYTES,
        max_request_body_size=_BODY_BYTES,
        outbuf_high_watermark=_ANSWER_BYTES,
        # The configured address decides whether links begin with https, not a header that anybody could send.
        url_scheme=own.public_url.partition(":")[0],
        # Our middleware removes these headers unless a trusted proxy sent them (config/middleware.py).
        clear_untrusted_proxy_headers=False,
        ident=None,
    )
    server.channel_class = Channel
    return server


def listening(host: str, port: int) -> "socket.socket":
    """Return an open socket for the pages. Raises click.ClickException if the address is in use or unknown."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} on {host} can't be used ({error.strerror}). Stop the program that uses it, or choose another "
            f"port by COMPANION_PORT."
        ) from None


def serve_until(stop: "threading.Event", server: "TcpWSGIServer") -> None:
    """Answer requests until `stop` is set; then accept no new connections and finish the running requests."""
    import threading

    threading.Thread(target=server.run, name="web", daemon=True).start()
    stop.wait()
    # This runs in the server's thread, because no other thread may use the socket.
    server.trigger.pull_trigger(lambda: _stop_accepting(server))
    _end_long_polls()
    server.task_dispatcher.shutdown(timeout=_STOP_SECONDS)


def _stop_accepting(server: "TcpWSGIServer") -> None:
    server.del_channel()
    server.socket.close()


def _end_long_polls() -> None:
    """End the Sandbox's waiting getUpdates calls by newer calls, so that they don't delay the stop."""
    from django.conf import settings
    from django.db import Error, connection

    from companion.sandbox import updates
    from companion.sandbox.models import SandboxBot
    from companion.service.timeouts import database_within

    if not settings.SANDBOX_ON:
        return
    try:
        with database_within(_POLLS_SECONDS):
            for bot in SandboxBot.objects.all():
                updates.begin_poll(bot)
    except Error as error:
        click.echo(f"Stopping without the database ({type(error).__name__}).", err=True)
    finally:
        connection.close()
