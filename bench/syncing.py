"""Measure how fast a source is synced, the first time and again, and that a larger source needs no more memory."""

import sqlite3
from pathlib import Path

from bench import inside, table
from bench.grounds import KINDS, Grounds


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print rows a second and the growth of the process's memory, at two sizes."""
    sizes = (5_000, 20_000) if quick else (10_000, 100_000)
    rows = []
    for kind in KINDS:
        for count in sizes:
            with grounds.fresh(kind) as database:
                file = database.folder / "hospital.sqlite3"
                _fill(file, count)
                for name, added in (("first", count), ("again, unchanged", 0)):
                    figures = inside.call(database, "bench.directory:fetch", file=str(file), added=added)
                    rate, memory = count / figures["seconds"], f"{figures['grown_megabytes']:.0f} MB"
                    rows.append((f"{kind}: {name}", table.count(count), f"{rate:,.0f}/s", memory))
    note = "Memory: how far the process's peak grew. All is read and kept, sealed, in a file before anything is stored."
    table.show("Sync of a SQL source", ("", "patients", "rows", "memory"), rows, note)


def _fill(path: Path, count: int) -> None:
    with sqlite3.connect(path) as hospital:
        hospital.execute("CREATE TABLE people (mrn TEXT, full_name TEXT, telegram INTEGER, wards TEXT)")
        hospital.executemany(
            "INSERT INTO people VALUES (?, ?, ?, ?)",
            (
                (f"P-{number}", f"Ana Silva {number}", 5_000_000_000 + number, f"Ward {number % 40}")
                for number in range(count)
            ),
        )
