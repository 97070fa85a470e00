"""Django's settings for each of the two databases. environment.py reads which database it is."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote

from companion.config.secret_urls import parted


def postgresql(url: str) -> dict[str, object]:
    """Django's settings for a libpq URI (RFC 3986; PostgreSQL manual 34.1.1.2), also with a socket by `?host=`.

    Raises ValueError if the URI is not PostgreSQL's; the message never quotes it.
    """
    parts, port = parted(url, "COMPANION_DATABASE_URL")
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("COMPANION_DATABASE_URL must begin with postgresql:// (leave it out for SQLite)")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or options.pop("dbname", ""),
        "USER": unquote(parts.username or "") or options.pop("user", ""),
        "PASSWORD": unquote(parts.password or "") or options.pop("password", ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(port or options.pop("port", "")),
        # Without connect_timeout, a page or health would wait for minutes if the network is cut. A process that is
        # frozen within a transaction must not lock its rows for ever, and a wait for a lock must end with an error.
        "OPTIONS": {
            "connect_timeout": "5",
            "options": "-c idle_in_transaction_session_timeout=10s -c lock_timeout=5s",
            # These notice a cut network while a process waits for an answer, or keeps an idle connection.
            "tcp_user_timeout": "15000",
            "keepalives_idle": "10",
            "keepalives_interval": "5",
            "keepalives_count": "3",
            **options,
        },
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 60,
    }


def sqlite(path: Path) -> dict[str, object]:
    """Django's settings for the SQLite file: WAL, durable commits, zeros over deleted rows, writers that wait."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000; PRAGMA secure_delete=ON;"
            ),
        },
        "CONN_MAX_AGE": None,
    }
