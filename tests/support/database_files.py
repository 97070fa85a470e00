"""The bytes of SQLite's files, read by another process.

A process that opens one of these files itself and closes it again loses all its locks on that file (POSIX; see
sqlite.org/howtocorrupt.html, 2.2). Its own connections go on without them, and the next service that is killed under
them damages the database.
"""

import subprocess
from pathlib import Path

from django.db import connection


def bytes_on_disk() -> bytes:
    """Return the content of the test's database file and of the files beside it: the log and its index."""
    database = Path(str(connection.settings_dict["NAME"]))
    files = sorted(database.parent.glob(f"{database.name}*"))
    return subprocess.run(["cat", *files], capture_output=True, check=True).stdout
