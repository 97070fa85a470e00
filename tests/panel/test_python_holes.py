"""The warning of a Python with known holes, release by release."""

import pytest

from companion.panel.python_holes import HOLES, Hole, Release, holes_of, of_release


@pytest.mark.parametrize(
    ("release", "cves"),
    [
        ((3, 11, 7), {hole.cve for hole in HOLES}),
        ((3, 11, 17), {"CVE-2026-115557"}),
        ((3, 11, 18), set()),
        ((3, 12, 5), {hole.cve for hole in HOLES} - {"CVE-2024-4032"}),
        ((3, 13, 18), set()),
        ((3, 14, 4), {"CVE-2026-1502", "CVE-2026-115557"}),
        ((3, 15, 1), {"CVE-2026-115557"}),
        ((3, 15, 2), set()),
        ((3, 16, 0), set()),
    ],
)
def test_each_release_has_its_holes(release: Release, cves: set[str]) -> None:
    assert {hole.cve for hole in holes_of(release)} == cves


def test_the_warning_names_the_holes_and_the_release_without_them() -> None:
    found = of_release((3, 12, 15))

    assert (found.result, "CVE-2026-115557 (ssl)" in found.value) == ("warning", True)
    assert "Python 3.12.16 or newer" in found.advice


def test_a_python_without_known_holes_is_well() -> None:
    assert of_release((3, 13, 18)).result == "ok"


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.cve)
def test_each_hole_names_one_fix_a_series_in_order(hole: Hole) -> None:
    series = [first[:2] for first in hole.fixed_in]

    assert series == sorted(set(series))
    assert series[0] == (3, 11)
