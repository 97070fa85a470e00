"""Sessions: they end by time and by hand, polling keeps none alive, and what is sensitive asks for a fresh proof."""

import datetime as dt
import time

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core import mail
from django.test import Client
from pydantic import SecretStr
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from companion.clinics.sign_in_links import operators_link
from companion.config import settings as product
from companion.service.slots import MAILS
from tests.builders import NOW, a_clinic
from tests.web.accounts import PASSWORD, a_person, acts_of, aged, is_in, session_of, sign_in
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


def _unused_for(client: Client, minutes: float) -> None:
    row = session_of(client)
    row.last_seen_at -= dt.timedelta(minutes=minutes)
    row.save()


def _hours_old(client: Client, hours: float) -> None:
    aged(client, began=time.time() - hours * 3600)


def test_a_password_is_hashed_by_argon2_also_if_it_was_hashed_otherwise_before(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    member = a_person(a_clinic())
    member.user.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000)
    member.user.save()

    sign_in(member)

    member.user.refresh_from_db()
    assert member.user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("bad", ["elevenchars", "q1w2e3r4t5y6", "member-of-clinic@clinic.example"])
def test_a_short_common_or_own_name_is_no_password(bad: str) -> None:
    client = sign_in(a_person(a_clinic(), email="member-of-clinic@clinic.example"))

    answer = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": bad, "password2": bad})

    assert answer.status_code == 200
    assert 'class="wrong"' in answer.content.decode()


def test_a_session_ends_after_half_an_hour_without_an_act() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic))
    _unused_for(client, 31)

    answer = client.get("/scheduled-messages", follow=True)

    assert "after 30 minutes without activity" in words(answer)
    assert acts_of(clinic)[-1] == "session ended without activity"


def test_an_act_keeps_a_session_alive() -> None:
    client = sign_in(a_person(a_clinic()))
    _unused_for(client, 29)

    client.get("/scheduled-messages")

    assert is_in(client)
    assert session_of(client).last_seen_at > dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)


@pytest.mark.parametrize("polled", ["/banner", "/inbox/news", "/scheduled-messages?part=rows", "/mcp?part=numbers"])
def test_a_page_that_polls_keeps_no_session_alive(polled: str) -> None:
    client = sign_in(a_person(a_clinic()))
    _unused_for(client, 29)
    before = session_of(client).last_seen_at

    client.get(polled, headers={"HX-Request": "true"})

    assert session_of(client).last_seen_at == before


def test_a_part_that_a_person_opened_keeps_a_session_alive() -> None:
    client = sign_in(a_person(a_clinic()))
    _unused_for(client, 29)
    before = session_of(client).last_seen_at

    client.get("/banner", headers={"HX-Request": "true", "X-Opened": "yes"})

    assert session_of(client).last_seen_at > before


def test_a_poll_of_a_session_that_is_over_leads_to_the_sign_in() -> None:
    client = sign_in(a_person(a_clinic()))
    _unused_for(client, 31)

    answer = client.get("/banner", headers={"HX-Request": "true"})

    assert answer["HX-Redirect"].startswith("/accounts/login/")


def test_a_session_ends_twelve_hours_after_the_sign_in_even_if_it_is_used() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic))
    _hours_old(client, 11.9)
    assert is_in(client)

    _hours_old(client, 12.1)

    assert "12 hours after you signed in" in words(client.get("/scheduled-messages", follow=True))
    assert acts_of(clinic)[-1] == "session ended after its longest time"


def test_the_operator_sets_both_times(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"idle_minutes": 5, "session_hours": 1})
    idle, old = sign_in(a_person(a_clinic())), sign_in(a_person(a_clinic()))

    _unused_for(idle, 6)
    _hours_old(old, 1.1)

    assert (is_in(idle), is_in(old)) == (False, False)


def test_with_a_short_time_each_act_keeps_a_session_alive(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"idle_minutes": 1})
    client = sign_in(a_person(a_clinic()))

    kept = []
    for _ in range(3):
        _unused_for(client, 0.7)
        kept.append(is_in(client))
        # The next act comes 0.7 minutes after this act, if this act was noted.
        assert session_of(client).last_seen_at > dt.datetime.now(dt.UTC) - dt.timedelta(minutes=0.5)

    assert kept == [True] * 3


def test_the_session_of_a_link_ends_like_any_other() -> None:
    member = a_person(a_clinic())
    client = Client()
    client.post("/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2])
    assert is_in(client)

    _unused_for(client, 31)

    assert not is_in(client)


def test_a_session_that_is_over_opens_no_api_either() -> None:
    client = sign_in(a_person(a_clinic()))
    _unused_for(client, 31)

    assert client.get("/api/scheduler/messages").status_code == 401


def test_the_cookie_ends_with_the_browser() -> None:
    client = sign_in(a_person(a_clinic()))

    assert client.cookies["sessionid"]["max-age"] == ""


def test_a_person_sees_their_sessions_and_ends_a_session() -> None:
    clinic = a_clinic()
    member = a_person(clinic)
    here = sign_in(member, HTTP_USER_AGENT="Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/130.0")
    there = sign_in(member, HTTP_USER_AGENT="Mozilla/5.0 (iPhone; CPU iPhone OS 17) Version/17.0 Safari/604.1")
    shown = words(here.get("/accounts/sessions/"))

    here.post("/accounts/sessions/end", {"session": session_of(there).pk})

    assert "Firefox on Windows this session" in shown
    assert "Safari on iPhone" in shown
    assert (is_in(here), is_in(there)) == (True, False)
    assert acts_of(clinic)[-1] == "sessions ended"


def test_a_person_ends_all_other_sessions() -> None:
    member = a_person(a_clinic())
    here, there, elsewhere = sign_in(member), sign_in(member), sign_in(member)

    here.post("/accounts/sessions/end", {"session": "others"})

    assert [is_in(client) for client in (here, there, elsewhere)] == [True, False, False]


def test_nobody_ends_another_persons_session() -> None:
    clinic = a_clinic()
    mine, theirs = sign_in(a_person(clinic)), sign_in(a_person(clinic))

    answer = mine.post("/accounts/sessions/end", {"session": session_of(theirs).pk})

    assert answer.status_code == 404
    assert is_in(theirs)


def test_a_new_password_ends_the_other_sessions() -> None:
    member = a_person(a_clinic())
    here, there = sign_in(member), sign_in(member)
    new = "five loud donkeys"

    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})

    assert (is_in(here), is_in(there)) == (True, False)


@pytest.fixture
def mail_server(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://mail.example")})


def test_a_person_is_told_of_a_sign_in_from_a_new_device_only(
    mail_server: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    member = a_person(a_clinic())

    with django_capture_on_commit_callbacks(execute=True):
        client = sign_in(member, HTTP_USER_AGENT="Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/130.0")
        client.post("/accounts/logout/")
        sign_in(member, client=client)

    (letter,) = mail.outbox
    assert letter.subject == "A sign-in from a new device"
    assert "by Firefox on Windows, from 127.0.0.1" in str(letter.body)


def test_sign_ins_wait_for_two_emails_to_a_person_at_most(
    mail_server: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    """With a slow mail server, a person's many sign-ins would otherwise hold the threads of all clinics."""
    member = a_person(a_clinic())

    with MAILS.taken(member.user_id), MAILS.taken(member.user_id), django_capture_on_commit_callbacks(execute=True):
        third = sign_in(member)
    untold = len(mail.outbox)
    with django_capture_on_commit_callbacks(execute=True):
        sign_in(member)

    assert is_in(third)
    assert (untold, len(mail.outbox)) == (0, 1)
