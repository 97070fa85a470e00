"""A hash of passwords for tests that costs next to nothing. The product's hash is made to be slow.

Each sign-in by a password hashes it, which took a tenth of the time of the pages' tests. Real processes use the
product's hash, and so does the test of the hash itself.
"""

from typing import Final

from companion.clinics.passwords import Hasher

PRODUCT: Final = f"{Hasher.__module__}.{Hasher.__name__}"
IN_TESTS: Final = f"{__name__}.Quick"


class Quick(Hasher):
    """Argon2id with one round in 64 KiB."""

    time_cost = 1
    memory_cost = 64


def instead(hashers: list[str]) -> list[str]:
    """The product's hashers with Quick in place of its own."""
    assert PRODUCT in hashers
    return [IN_TESTS if hasher == PRODUCT else hasher for hasher in hashers]
