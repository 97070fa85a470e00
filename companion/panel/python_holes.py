"""Known holes in Python's modules that this product uses, and the check that warns of a Python that has them.

Each hole is from the CVE's own record (https://www.cve.org/CVERecord?id=…) and Python's changelogs, read on 2026-11-27.
To refresh: look for new records of the Python Software Foundation that name a module of `grep -rhE "^(import|from)"`.
"""

import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from companion.panel.check import CheckResult, Group, ok, warning

Release = tuple[int, int, int]


class Hole(NamedTuple):
    """A known hole: the module, what it allows, and the first release of each series without it."""

    cve: str
    module: str
    allows: str
    fixed_in: tuple[Release, ...]
    """Sorted. A series that comes later than all of them never had the hole."""


HOLES: Final = (
    Hole("CVE-2024-4032", "ipaddress", "some internal addresses count as public", ((3, 11, 10), (3, 12, 4))),
    Hole("CVE-2024-7592", "http.cookies", "a long cookie holds a thread", ((3, 11, 10), (3, 12, 6))),
    Hole(
        "CVE-2025-0938",
        "urllib.parse",
        "square brackets in a host name are read otherwise than elsewhere",
        ((3, 11, 12), (3, 12, 9), (3, 13, 2)),
    ),
    Hole("CVE-2025-6069", "html.parser", "some HTML takes very long to read", ((3, 11, 14), (3, 12, 12), (3, 13, 6))),
    Hole(
        "CVE-2025-13836",
        "http.client",
        "an answer's length alone takes up memory",
        ((3, 11, 15), (3, 12, 13), (3, 13, 11), (3, 14, 1)),
    ),
    Hole(
        "CVE-2026-0672",
        "http.cookies",
        "control characters in a cookie add headers",
        ((3, 11, 15), (3, 12, 13), (3, 13, 12), (3, 14, 3)),
    ),
    Hole(
        "CVE-2026-1299",
        "email",
        "line breaks in an e-mail's header add headers",
        ((3, 11, 15), (3, 12, 13), (3, 13, 12), (3, 14, 3)),
    ),
    Hole(
        "CVE-2026-1502",
        "http.client",
        "line breaks in a proxy's address add headers",
        ((3, 11, 16), (3, 12, 14), (3, 13, 14), (3, 14, 5)),
    ),
    Hole(
        "CVE-2026-3644",
        "http.cookies",
        "control characters in a cookie still add headers",
        ((3, 11, 16), (3, 12, 14), (3, 13, 13), (3, 14, 4)),
    ),
    Hole(
        "CVE-2026-115557",
        "ssl",
        "certificates of a compromised authority are believed",
        ((3, 11, 18), (3, 12, 16), (3, 13, 18), (3, 14, 10), (3, 15, 2)),
    ),
)


def holes_of(release: Release) -> list[Hole]:
    """The known holes of a Python of this release."""
    return [hole for hole in HOLES if _has(release, hole)]


def python() -> Iterator[CheckResult]:
    """Warn of a Python with known holes, and name the release that has none."""
    yield of_release(sys.version_info[:3])


def of_release(release: Release) -> CheckResult:
    """The check's result for a Python of this release."""
    name, version = "Python", _written(release)
    found = holes_of(release)
    if not found:
        return ok(Group.CONFIGURATION, name, f"{version}, no known holes in what we use")
    safe = max(first for hole in found for first in hole.fixed_in if first[:2] == _series_of_the_fix(release, hole))
    value = f"{version}, {len(found)} known holes: {', '.join(f'{hole.cve} ({hole.module})' for hole in found)}"
    return warning(
        Group.CONFIGURATION, name, value, f"Install Python {_written(safe)} or newer, then our packages anew."
    )


def _has(release: Release, hole: Hole) -> bool:
    first = next((first for first in hole.fixed_in if first[:2] == release[:2]), None)
    # A series without an entry: older series were never fixed, and newer series came after the fix.
    return release < first if first else release < hole.fixed_in[0]


def _series_of_the_fix(release: Release, hole: Hole) -> tuple[int, int]:
    return max(release[:2], hole.fixed_in[0][:2])


def _written(release: Release) -> str:
    return ".".join(map(str, release))
