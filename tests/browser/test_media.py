"""A photo and a voice note from a phone: a member opens them in a real browser, under the pages' own security
policy.
"""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.listener.models import Conversation
from companion.sandbox.models import FileKind
from tests.browser.signed_in import sign_in
from tests.web.practice import Practice, practice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["practice"]
_LOADED = "one => one.complete && one.naturalWidth"


def test_a_photo_is_shown_and_a_voice_note_can_be_played(
    page: Page, practice: Practice, live_server: LiveServer
) -> None:
    practice.sends(FileKind.PHOTO, caption="my arm")
    practice.sends(FileKind.VOICE)
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if "Content Security Policy" in line.text else None)
    sign_in(page, live_server.url, practice.clinic)
    page.goto(f"{live_server.url}/inbox/{Conversation.objects.get().id}")

    page.get_by_role("link", name="Show the photo").click()
    shown = page.get_by_role("img", name="What the patient sent: photo")
    expect(shown).to_be_visible()
    page.wait_for_function("() => [...document.querySelectorAll('.file img')].every(one => one.naturalWidth)")
    page.get_by_role("link", name="Play the voice note").click()
    sound = page.locator("audio")
    expect(sound).to_be_visible()
    sound.evaluate("one => one.play()")
    page.wait_for_function("() => document.querySelector('audio').duration > 1.5")

    assert shown.evaluate(_LOADED) == 480
    assert refused == []
