"""Small real HTTP servers that misbehave as a test wants. The stand-in for Telegram is the Sandbox."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

YES = b'{"ok":true,"result":{"message_id":7}}'
Behave = Callable[["Connection"], Awaitable[None]]


@dataclass
class Connection:
    """An accepted connection, seen from the server."""

    server: "Server"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_request(self) -> bytes:
        """Read the next request. Raises IncompleteReadError when the client has gone."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        request = head + await self.reader.readexactly(length)
        self.server.requests.append(request)
        return request

    def answer(self, body: bytes = YES, status: str = "200 OK", *headers: str, length: int | None = None) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


@dataclass
class Server:
    """The server's address and what it has received."""

    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def a_server(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a free port: `behave` handles each connection, which is then closed."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        try:
            await behave(Connection(server, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            # The test is over; asyncio's own callback would report the cancelled task as an error.
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    server.url = f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answers_everything(connection: Connection) -> None:
    while True:
        await connection.read_request()
        connection.answer()


def answers(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Behave:
    """Answer one request, then close the connection."""

    async def behave(connection: Connection) -> None:
        await connection.read_request()
        connection.answer(body, status, *headers, length=length)
        await connection.writer.drain()

    return behave


def answers_raw(raw: bytes) -> Behave:
    """Answer one request with these bytes, then close the connection."""

    async def behave(connection: Connection) -> None:
        await connection.read_request()
        connection.writer.write(raw)
        await connection.writer.drain()

    return behave


async def hangs(connection: Connection) -> None:
    await connection.read_request()
    await asyncio.Event().wait()


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return TLS with a self-signed certificate, which no client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    began = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    path = folder / "self_signed.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
