"""WhiteNoise for tests: serves what the product's serves, and looks for the files once in each process.

Each of Django's test clients builds all middleware anew, and WhiteNoise then looks at a thousand files: a third of a
page test's work.
"""

from typing import Any, ClassVar, Final

from whitenoise.middleware import WhiteNoiseMiddleware

PRODUCT: Final = "whitenoise.middleware.WhiteNoiseMiddleware"
IN_TESTS: Final = f"{__name__}.FoundOnce"


class FoundOnce(WhiteNoiseMiddleware):  # type: ignore[misc]  # WhiteNoise has no types
    """Shares the files that the first instance found with all later ones."""

    files: dict[str, Any]  # also without types
    found: ClassVar[dict[str, Any]] = {}

    def add_files_from_finders(self) -> None:
        if not self.found:
            super().add_files_from_finders()
            self.found.update(self.files)
        self.files = self.found


def instead(middleware: list[str]) -> list[str]:
    """The product's middleware with FoundOnce at WhiteNoise's place."""
    assert PRODUCT in middleware
    return [IN_TESTS if name == PRODUCT else name for name in middleware]
