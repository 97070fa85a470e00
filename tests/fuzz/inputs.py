"""The number of inputs, and strategies that several tests share."""

import os
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES: Final = int(os.environ.get("COMPANION_FUZZ_EXAMPLES", "50"))
CALLS: Final = max(15, EXAMPLES // 500)
"""The requests for each call of the API in tests/api/test_schema.py: each takes longer than many inputs here."""
fuzzed: Final = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

ODD: Final = st.sampled_from(
    [
        "\ud800",
        "\0",
        "\r\n",
        "\u2028",
        "\ufeff",
        "\u202e",
        "😀",
        "é",
        "I\u0307",
        "٣",
        "²",
        "{{",
        "1e999",
        "-0",
        "9" * 25,
        "%00",
    ]
)
"""Characters and numbers that readers stumble over."""
texts: Final = st.lists(st.text(max_size=8) | ODD, max_size=6).map("".join)
headers: Final = st.lists(st.text(max_size=8) | ODD, max_size=8).map(
    lambda parts: "".join(parts).encode("utf-8", "replace").decode("latin-1")
)
"""Values of headers, as a server hands them over."""


def json_with(*names: str) -> st.SearchStrategy[object]:
    """Any JSON whose objects mostly have these names."""
    keys = st.sampled_from(names) | st.text(max_size=5)
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=12
    )
