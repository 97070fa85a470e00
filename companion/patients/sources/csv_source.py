"""A CSV file on this machine as a source, read like an import. It holds no times of changes, so it is read whole."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from companion.clinics.refusals import Refused
from companion.patients import csv_rows, importing
from companion.patients.csv_rows import BrokenRow, Lines, NotReadable
from companion.patients.sources.source import Found, Point, SourceDown

_LEFT: Final = "left"
"""An additional column: a cell that isn't empty means that the patient has left or died."""


class CsvSource:
    """A file that another program rewrites; each sync reads the file as it is then."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path

    def read_all(self) -> Iterator[Found]:
        """Every row."""
        try:
            with self._path.open("rb") as file:
                lines = Lines(file)
                header = importing.header_of(lines)
                columns = importing.columns_of(header)
                for row in csv_rows.read_rows(lines, columns, header.delimiter):
                    place = f"line {row.line}"
                    if isinstance(row, BrokenRow):
                        yield Found(place, {}, trouble=row.reason)
                    else:
                        yield Found(place, _values(row.cells), left=bool(row.cells.get(_LEFT, "").strip()))
        except OSError as error:
            raise SourceDown(f"The CSV file can't be read ({error.strerror}).") from None
        except NotReadable as why:
            raise SourceDown(str(why)) from None
        except Refused as refusal:
            raise SourceDown(refusal.problems[0].message) from None

    def read_changed_since(self, point: Point) -> Iterator[Found]:
        """Every row, since a file doesn't tell what changed."""
        return self.read_all()


def _values(cells: Mapping[str, str]) -> dict[str, object]:
    return {
        column: importing.split_cohorts(cell) if column == "cohorts" else cell.strip()
        for column, cell in cells.items()
        if column in importing.COLUMNS and cell.strip()
    }
