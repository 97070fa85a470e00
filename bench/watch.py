"""Health as `companion doctor` sees it, in a separate process. Each line on standard input asks once."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from bench.grounds import Database, python


@dataclass(frozen=True, slots=True)
class Watch:
    """The watching process."""

    questions: IO[str]
    answers: IO[str]

    def health(self) -> tuple[str, str]:
        """The present status, and its sentence."""
        self.questions.write("\n")
        self.questions.flush()
        status, words = json.loads(self.answers.readline())
        return str(status), str(words)


@contextmanager
def watch(database: Database) -> Iterator[Watch]:
    """Start the process, and end it."""
    environment = database.environment() | {"DJANGO_SETTINGS_MODULE": "companion.config.settings"}
    process = python("bench.watch", environment=environment, folder=database.folder)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no streams")
    try:
        yield Watch(process.stdin, process.stdout)
    finally:
        process.communicate()


def main() -> None:
    """Answer the lines on standard input. This runs in the watching process."""
    import django

    django.setup()
    from companion.panel import health

    for _ in sys.stdin:
        health.forget()
        report = health.check_from_outside_now()
        print(json.dumps([report.status, report.detail]), flush=True)


if __name__ == "__main__":
    main()
