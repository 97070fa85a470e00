"""The tests' FHIR server as a process of its own, and what it serves."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Server:
    """The server, and what it serves."""

    url: str
    file: Path
    log: Path

    def has(self, *patients: dict[str, object], fault: str = "") -> None:
        self.file.write_text(json.dumps({"patients": patients, "fault": fault, "log": str(self.log)}))

    def searches(self) -> list[str]:
        """Return the requests since the last call: since when, and which page."""
        asked = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.write_text("")
        return asked


@contextmanager
def a_fhir_server(folder: Path) -> Iterator[Server]:
    """Serve what `has` was given, until the block ends."""
    file = folder / "patients.json"
    command = [sys.executable, "-m", "tests.patients.fhir_server", str(file)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}/r4", file, folder / "log")
        finally:
            process.kill()


def a_resource(number: int, **fields: object) -> dict[str, object]:
    """A FHIR Patient."""
    resource: dict[str, object] = {
        "resourceType": "Patient",
        "id": f"p{number}",
        "meta": {"lastUpdated": f"2026-11-{number:02}T08:00:00Z"},
        "identifier": [{"system": "urn:mrn", "value": f"P-{number}"}],
        "name": [{"use": "official", "given": ["Ana", "Maria"], "family": f"Silva {number}"}],
    }
    return resource | fields
