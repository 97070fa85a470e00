"""`python -m tools.screenshots`: take small pictures of the main pages, with the demo's data, into docs/images/.

A real `companion up --demo` runs in a temporary folder, and the tests' browser opens its pages. Dates and times are
those of the run; patients, messages and sizes are the same each time.
"""

import io
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.cli.running import Up, up
from tests.support.chromium import launch_args
from tests.support.services import eventually

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZES: Final = (ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844))
MOST_BYTES: Final = 60_000
_COLOURS: Final = (256, 128, 64, 32, 16)
_SENT_AT_FIRST: Final = 6
"""The demo's messages that leave within a minute."""


class Shot(NamedTuple):
    """A picture of a page."""

    name: str
    path: str
    link: str = ""
    """A pattern of the address of a page about one object. The first such link on the page at `path` is followed."""


SHOTS: Final = (
    Shot("list", "/scheduled-messages"),
    Shot("calendar", "/scheduled-messages/calendar"),
    Shot("new-message", "/scheduled-messages/new"),
    Shot("message", "/scheduled-messages?status=sent", r"/scheduled-messages/[0-9a-f-]{36}"),
    Shot("all-series", "/scheduled-messages/series"),
    Shot("series", "/scheduled-messages/series", r"/scheduled-messages/series/[0-9a-f-]{36}"),
    Shot("patients", "/patients"),
    Shot("patient", "/patients?q=LP-003", r"/patients/[0-9a-f-]{36}"),
    Shot("inbox", "/inbox"),
    Shot("control-panel", "/mcp"),
    Shot("settings", "/settings"),
    Shot("practice-phone", "/sandbox"),
)


@click.command()
def main() -> None:
    """Take a picture of each main page at 1280 and 390 pixels."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="companion-screenshots-") as folder, up(Path(folder), "--demo") as running:
        _wait_for_the_first_messages(running)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launch_args())  # type: ignore[arg-type]  # a dict of its arguments
            for size, page in _signed_in_pages(browser, running):
                for shot in SHOTS:
                    _open(page, shot)
                    file = FOLDER / f"{shot.name}-{size['width']}.png"
                    file.write_bytes(_small(page.screenshot(animations="disabled")))
                    click.echo(f"{file.name}: {file.stat().st_size // 1000} KB")


def _wait_for_the_first_messages(running: Up) -> None:
    key = running.key("screenshots")

    def sent() -> int:
        _, body = running.get("/api/scheduler/messages?status=sent", key)
        return len(json.loads(body)["items"])

    eventually(lambda: running.health().get("status") == "ok" and sent() >= _SENT_AT_FIRST, "the demo's first messages")


def _signed_in_pages(browser: Browser, running: Up) -> Iterator[tuple[ViewportSize, Page]]:
    """A page of each size. The printed link signs in once, so all pages share its session."""
    address = f"http://127.0.0.1:{running.port}"
    with browser.new_context(base_url=address) as first:
        page = first.new_page()
        page.goto(running.link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/scheduled-messages")
        session = first.storage_state()
    for size in SIZES:
        with browser.new_context(
            base_url=address, storage_state=session, viewport=size, reduced_motion="reduce", timezone_id="Europe/Berlin"
        ) as context:
            yield size, context.new_page()


def _open(page: Page, shot: Shot) -> None:
    page.goto(shot.path)
    if shot.link:
        links = page.locator("main a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        page.goto(next(link for link in links if re.fullmatch(shot.link, link.partition("?")[0])))
    if shot.name == "new-message":
        page.locator("#find").fill("jonas")
        page.get_by_label("Jonas Weber").check()
        page.locator("#text").fill("Good morning {first_name}, please measure your blood pressure. {clinic}")
        page.locator("#preview").get_by_text("Good morning Jonas").first.wait_for()
        page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_load_state("networkidle")


def _small(picture: bytes) -> bytes:
    """Reduce the colours of a PNG until it fits into MOST_BYTES."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in _COLOURS:
        file = io.BytesIO()
        # This method keeps rare colours: a green dot, a red badge.
        image.quantize(colours, method=Image.Quantize.MAXCOVERAGE).save(file, "PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            return file.getvalue()
    raise ValueError(f"a picture takes over {MOST_BYTES} bytes even with {_COLOURS[-1]} colours")


if __name__ == "__main__":
    main()
