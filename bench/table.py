"""Tables for a terminal, and the few functions that make their numbers. Nothing here measures."""

from collections.abc import Sequence


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table: the first column to the left, figures to the right."""
    widths = [max(len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]
    print(f"\n{title}")
    for row in (columns, tuple("-" * width for width in widths), *rows):
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip())
    if note:
        print(f"  {note}")


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which the fraction `part` (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def ratio(ours: float, baseline: float) -> str:
    """Return our figure as a multiple of the baseline."""
    return f"{ours / baseline:.2f}"


def count(number: float) -> str:
    """A whole number as people write it: 1,000,000."""
    return f"{number:,.0f}"


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{seconds * 1000:,.1f} ms"
