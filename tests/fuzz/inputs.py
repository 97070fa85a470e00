"""The inputs of a property test: the files of its reader in corpus/, as they are, and mutants of them.

`make fuzz` keeps a finding as a file there, so that every later run of the tests tries it first.
"""

import json
import os
import random
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutants import mutant, pieces_of

_ASKED: Final = os.environ.get("COMPANION_FUZZ_EXAMPLES", "")
EXAMPLES: Final = int(_ASKED or "200")
CALLS: Final = max(15, EXAMPLES // 500)
"""The requests for each call of the API in tests/api/test_schema.py: each takes longer than many inputs here."""
CORPUS: Final = Path(__file__).parent / "corpus"
_AT_ONCE: Final = 10
"""The mutants of one script: drawing a script takes longer than most readers do."""
_LARGEST: Final = 2000
"""The largest file of which mutants are made, in bytes."""
Test = Callable[..., None]


def fuzzed(reader: str, *pieces: str, tenth: bool = False) -> Callable[[Test], Test]:
    """Run a test, whose argument `raw` is the input, on the reader's corpus and on mutants of it.

    `pieces` are texts that mean something to the reader. `tenth` is for a slow door of a reader that another test
    reaches: a tenth of the inputs go through it.
    """
    files = {path: path.read_bytes() for path in sorted((CORPUS / reader).iterdir())}
    seeds = [content for content in files.values() if len(content) <= _LARGEST]

    def decorated(test: Test) -> Test:
        @wraps(test)
        def on_each(raw: list[bytes], **fixtures: object) -> None:
            for mutated in raw:
                try:
                    test(raw=mutated, **fixtures)
                except (Exception, pytest.fail.Exception) as finding:
                    finding.add_note(f"The input: {mutated[:2000]!r}")
                    if _ASKED:
                        (CORPUS / reader / f"found-{test.__name__[5:40]}-{type(finding).__name__}").write_bytes(mutated)
                    raise

        found: Test = given(raw=_inputs(seeds, pieces_of(pieces)))(on_each)
        for content in files.values():
            found = example(raw=[content])(found)
        draws = EXAMPLES // _AT_ONCE // (10 if tenth else 1)
        return settings(
            max_examples=max(1, draws),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        )(found)

    return decorated


def _inputs(seeds: Sequence[bytes], pieces: Sequence[bytes]) -> st.SearchStrategy[list[bytes]]:
    def made(drawn: tuple[bytes, bytes]) -> list[bytes]:
        seed, script = drawn
        chance = random.Random(script)
        scripts = [script, *(chance.randbytes(len(script)) for _ in range(_AT_ONCE - 1))]
        return [mutant(seed, script, pieces, seeds) for script in scripts]

    # The least length gives most scripts more than one edit.
    return st.tuples(st.sampled_from(seeds), st.binary(min_size=5, max_size=33)).map(made)


def text_of(raw: bytes) -> str:
    """The input as text, in which any bytes are halves of surrogate pairs."""
    return raw.decode("utf-8", "surrogateescape")


def parts_of(raw: bytes, count: int) -> list[str]:
    """The input's first lines, and all that follows, as a server hands over headers."""
    found = raw.decode("latin-1").split("\n", count - 1)
    return found + [""] * (count - len(found))


def json_of(raw: bytes) -> Any:
    """The input as JSON; None if it is none."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
