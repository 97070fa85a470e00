"""Measure how fast a large list of patients is imported from CSV, the first time and again, and the memory it needs."""

import csv
from pathlib import Path

from bench import inside, table
from bench.grounds import KINDS, Grounds

_NAMES = ("Ana Silva", "Ben Ådahl", "Chi Nguyễn", "Dov Levi", "Eva Müller")
_HEADER = ("external_id", "name", "telegram_id", "birth_date", "phone", "timezone", "language", "cohorts")
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print rows a second, beside those of a bare csv.reader and executemany with the same rows."""
    count = 10_000 if quick else 100_000
    rows = []
    for kind in KINDS:
        with grounds.fresh(kind) as database:
            file = database.folder / "patients.csv"
            _write(file, count)
            bare = inside.call(database, "bench.directory:bare", file=str(file))
            first = inside.call(database, "bench.directory:take", file=str(file), added=count)
            again = inside.call(database, "bench.directory:take", file=str(file), added=0)
        for name, figures in (("bare executemany", bare), ("first import", first), ("again, unchanged", again)):
            rate = count / figures["seconds"]
            memory = f"{figures['grown_megabytes']:.0f} MB"
            rows.append((f"{kind}: {name}", f"{rate:,.0f}/s", table.ratio(rate, count / bare["seconds"]), memory))
    note = "Memory: how far the process's peak grew. The import reads, checks, compares, keeps history and marks plans."
    table.show(f"Import of a CSV of {count:,} patients", ("", "rows", "of bare", "memory"), rows, note)


def _write(path: Path, count: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for number in range(count):
            born = f"{1930 + number % 80}-{1 + number % 12:02}-{1 + number % 28:02}"
            cohorts = f"Ward {number % 40}" + ("|Diabetes" if number % 3 == 0 else "")
            name, zone = f"{_NAMES[number % 5]} {number}", _ZONES[number % 3]
            writer.writerow(
                (f"P-{number}", name, 5_000_000_000 + number, born, f"+49 30 {number:07}", zone, "de", cohorts)
            )
