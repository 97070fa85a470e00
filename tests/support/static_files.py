"""WhiteNoise for tests: serves the product's files, but looks for them only once in each process.

Each of Django's test clients builds all middleware anew. WhiteNoise would then look at a thousand files, which is a
third of the time of a page test.
"""

from typing import Any, ClassVar, Final

from whitenoise.middleware import WhiteNoiseMiddleware

PRODUCT: Final = "whitenoise.middleware.WhiteNoiseMiddleware"
IN_TESTS: Final = f"{__name__}.FoundOnce"


class FoundOnce(WhiteNoiseMiddleware):  # type: ignore[misc]  # WhiteNoise has no types
    """WhiteNoise that shares the files that its first instance found."""

    files: dict[str, Any]  # also without types
    found: ClassVar[dict[str, Any]] = {}

    def add_files_from_finders(self) -> None:
        if not self.found:
            super().add_files_from_finders()
            self.found.update(self.files)
        self.files = self.found


def instead(middleware: list[str]) -> list[str]:
    """The product's middleware with FoundOnce in place of WhiteNoise."""
    assert PRODUCT in middleware
    return [IN_TESTS if name == PRODUCT else name for name in middleware]
