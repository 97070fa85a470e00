"""The Chromium of the browser tests: the machine's, else Playwright's own.

Run as a module it installs a Chromium if there is none.
Tests don't use it for pages: they take pytest-playwright's `page`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> Path | None:
    """Find Chromium: `COMPANION_CHROMIUM`, else the machine's by its usual names, else Playwright's.

    Raises FileNotFoundError if `COMPANION_CHROMIUM` names no file: no other Chromium replaces it.
    """
    if chosen := os.environ.get("COMPANION_CHROMIUM"):
        if not Path(chosen).is_file():
            raise FileNotFoundError(f"COMPANION_CHROMIUM names no file: {chosen}")
        return Path(chosen)
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    return _playwrights_own()


def launch_args() -> dict[str, str | list[str]]:
    """The arguments of Playwright's launch(). Chromium's own sandbox doesn't run as root."""
    executable = find()
    if executable is None:
        raise FileNotFoundError("There is no Chromium here: python -m tests.support.chromium gets one")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": str(executable), "args": [*as_root, *_QUIET]}


def _playwrights_own() -> Path | None:
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() else None


def _get_one() -> Path | None:
    """Install Playwright's Chromium if it can be downloaded, else Debian's if we may install packages."""
    _say("No Chromium here. Trying Playwright's own.")
    if subprocess.call([sys.executable, "-m", "playwright", "install", "chromium"]) == 0 and (found := find()):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say("Playwright's own can't be had. Trying apt-get install chromium.")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if subprocess.call(["apt-get", "update", "-qq"], env=quiet) == 0:
            subprocess.call(["apt-get", "install", "-y", "-qq", "chromium"], env=quiet)
    return find()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    found = find() or _get_one()
    if found is None:
        _say("No Chromium could be had. Install one, or name it in COMPANION_CHROMIUM.")
        return 1
    _say(f"Browser tests drive {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
