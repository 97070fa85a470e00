"""Guessing gets slow, and nobody shuts anybody else out: the attacks by thirty names and by thirty passwords."""

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import Member
from companion.service.client_address import read_networks
from companion.web.models import Tries
from tests.builders import a_clinic
from tests.support.threads import at_once
from tests.web.accounts import PASSWORD, a_person, app_code, is_in, sign_in, with_an_app
from tests.web.signed_in import words
from tests.web.waits import ATTACKER, ELSEWHERE, later, nothing_passes

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def _try(email: str, password: str = "wrong and long", *, address: str = ATTACKER, client: Client | None = None) -> int:
    typed = {"login": email, "password": password}
    return (client or Client()).post("/accounts/login/", typed, REMOTE_ADDR=address).status_code


def _guess(email: str, times: int = 30, address: str = ATTACKER) -> list[int]:
    return [_try(email, f"wrong and long {number}", address=address) for number in range(times)]


def _comes_in(member: Member, *, address: str = ATTACKER, client: Client | None = None) -> bool:
    browser = client or Client()
    _try(member.user.email, PASSWORD, address=address, client=browser)
    return is_in(browser)


def test_thirty_wrong_passwords_are_mostly_not_even_judged() -> None:
    member = a_person(a_clinic())

    first = _guess(member.user.email, 6)
    nothing_passes()
    others = _guess(member.user.email, 24)

    assert (first, others) == ([200] * 6, [429] * 24)
    assert not _comes_in(member)


def test_the_owner_elsewhere_gets_in_during_thirty_wrong_passwords() -> None:
    member = a_person(a_clinic())

    _guess(member.user.email)

    assert _comes_in(member, address=ELSEWHERE)


def test_the_owner_gets_in_from_the_attackers_address_by_a_browser_that_is_known() -> None:
    member = a_person(a_clinic())
    browser = sign_in(member)
    browser.post("/accounts/logout/")

    _guess(member.user.email, 6)
    nothing_passes()

    assert _comes_in(member, client=browser)
    assert not _comes_in(member)


def test_a_known_browser_is_a_door_while_thousands_of_addresses_guess() -> None:
    member = a_person(a_clinic())
    browser = sign_in(member)
    browser.post("/accounts/logout/")
    for number in range(105):
        _try(member.user.email, address=f"198.51.{number}.1")

    assert not _comes_in(member, address=ELSEWHERE)
    assert _comes_in(member, address=ELSEWHERE, client=browser)


def test_a_known_browser_is_no_way_to_guess_without_end() -> None:
    member = a_person(a_clinic())
    browser = sign_in(member)
    browser.post("/accounts/logout/")

    answers = [_try(member.user.email, client=browser) for _ in range(8)]

    assert answers[-2:] == [429, 429]


def test_a_cookie_of_another_persons_browser_is_not_a_known_cookie() -> None:
    clinic = a_clinic()
    victim, thief = a_person(clinic), sign_in(a_person(clinic))
    thief.post("/accounts/logout/")

    _guess(victim.user.email)

    assert _try(victim.user.email, client=thief) == 429


def test_thirty_wrong_names_slow_their_address_only_a_little() -> None:
    member = a_person(a_clinic())
    for number in range(32):
        _try(f"nobody-{number}@clinic.example")

    assert not _comes_in(member)
    later(11)
    assert _comes_in(member)


def test_thirty_wrong_names_slow_nobody_elsewhere() -> None:
    member = a_person(a_clinic())

    for number in range(40):
        _try(f"nobody-{number}@clinic.example")

    assert _comes_in(member, address=ELSEWHERE)


def test_a_person_who_must_wait_is_told_how_long() -> None:
    member = a_person(a_clinic())
    _guess(member.user.email, 6)

    answer = Client().post("/accounts/login/", {"login": member.user.email, "password": "x"}, REMOTE_ADDR=ATTACKER)

    assert answer.status_code == 429
    assert answer["Retry-After"] == "1"
    assert "Try again in 1 second." in words(answer)


def test_an_unknown_name_waits_like_a_known_name() -> None:
    known, unknown = a_person(a_clinic()).user.email, "nobody@clinic.example"

    assert _guess(known, 10, "198.51.100.1") == _guess(unknown, 10, "198.51.100.2")


def test_the_wait_doubles_and_ends_at_a_quarter_of_an_hour() -> None:
    member = a_person(a_clinic())
    waits = []
    for _ in range(18):
        _try(member.user.email)
        later(901)
        row = Tries.objects.order_by("-count", "-until").first()
        assert row
        waits.append(round((row.until - row.last_at).total_seconds()))

    assert waits[:9] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert max(waits) == 900


def test_an_hour_later_all_is_forgotten() -> None:
    member = a_person(a_clinic())
    _guess(member.user.email)
    later(3700)

    assert _guess(member.user.email, 5) == [200] * 5


def test_a_right_password_clears_the_count_of_wrong_passwords() -> None:
    member = a_person(a_clinic())
    _guess(member.user.email, 4)
    assert _comes_in(member)

    assert _guess(member.user.email, 5) == [200] * 5


def test_right_passwords_in_between_give_an_address_no_new_tries() -> None:
    attacker = a_person(a_clinic())
    for number in range(32):
        _try(f"nobody-{number}@clinic.example")
        if number % 5 == 4:
            _comes_in(attacker)

    assert _try("nobody-33@clinic.example") == 429


def test_names_in_any_spelling_are_one_account() -> None:
    email = a_person(a_clinic(), email="eva@clinic.example").user.email

    answers = [_try(spelt) for spelt in (email, email.upper(), f" {email}", email.title()) * 3]

    assert answers.count(200) == 6


def test_addresses_of_one_household_count_as_one_address() -> None:
    email = a_person(a_clinic()).user.email

    answers = [_try(email, address=f"2001:db8:1:2::{number:x}") for number in range(1, 12)]

    assert answers.count(200) == 6


def test_the_counters_name_nobody() -> None:
    email = a_person(a_clinic()).user.email
    _guess(email, 3)

    assert email not in str(list(Tries.objects.values()))
    assert ATTACKER not in str(list(Tries.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_tries_at_one_moment_are_all_counted() -> None:
    email = a_person(a_clinic()).user.email

    answers = at_once([lambda: _try(email)] * 12)

    assert answers.count(200) <= 6


def test_codes_wait_as_passwords_do_and_a_known_browser_is_not_stopped_by_others() -> None:
    member = a_person(a_clinic())
    browser = sign_in(member)
    secret = with_an_app(browser)
    browser.post("/accounts/logout/")
    thief = Client()
    _try(member.user.email, PASSWORD, client=thief)

    guesses = [
        thief.post("/accounts/2fa/authenticate/", {"code": "000000"}, REMOTE_ADDR=ATTACKER).status_code
        for _ in range(8)
    ]

    assert guesses.count(200) == 6
    sign_in(member, client=browser)
    browser.post("/accounts/2fa/authenticate/", {"code": app_code(secret, steps=1)})
    assert is_in(browser)


def test_a_password_asked_for_again_can_not_be_guessed_in_an_open_session() -> None:
    client = sign_in(a_person(a_clinic()))

    answers = [client.post("/accounts/reauthenticate/", {"password": f"wrong {n}"}).status_code for n in range(8)]

    assert 429 in answers


def _behind(settings: Settings, proxies: str) -> None:
    own = settings.COMPANION.model_copy(update={"trusted_proxies": proxies})
    own.__dict__["proxies"] = read_networks(proxies)
    settings.COMPANION = own


def test_behind_a_proxy_each_browser_is_an_address_of_its_own(settings: Settings) -> None:
    _behind(settings, "10.0.0.0/8")
    member = a_person(a_clinic())
    for number in range(12):
        typed = {"login": member.user.email, "password": f"wrong {number}"}
        Client().post("/accounts/login/", typed, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=ATTACKER)

    owner = Client()
    right = {"login": member.user.email, "password": PASSWORD}
    owner.post("/accounts/login/", right, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=ELSEWHERE)

    assert is_in(owner)


def test_a_made_up_forwarded_address_gives_no_new_tries(settings: Settings) -> None:
    _behind(settings, "10.0.0.0/8")
    email = a_person(a_clinic()).user.email

    answers = [
        Client()
        .post(
            "/accounts/login/",
            {"login": email, "password": f"wrong {number}"},
            REMOTE_ADDR=peer,
            HTTP_X_FORWARDED_FOR=f"203.0.113.{number}{told}",
        )
        .status_code
        for peer, told in ((ATTACKER, ""), ("10.0.0.1", f", {ATTACKER}"))
        for number in range(8)
    ]

    assert answers.count(200) == 6


@pytest.mark.parametrize("spelling", ["EVA.SKI@clinic.example", " eva.ski@clinic.example "])
def test_capital_letters_and_spaces_around_are_no_other_account(spelling: str) -> None:
    member = a_person(a_clinic(), email="eva.ski@clinic.example")
    _guess(member.user.email, 6)
    nothing_passes()

    assert _try(spelling, PASSWORD) == 429


@pytest.mark.parametrize(
    "spelling",
    [
        "eva.\u017fki@clinic.example",
        "eva.s\u212ai@clinic.example",
        "eva.sk\u0131@clinic.example",
        "eva.sk\u0130@clinic.example",
        "eva.ski@clinic.example.",
        "eva.ski@cl\u0131nic.example",
        "eva.ski@clinic\uff0eexample",
        "eva.ski@clinic.example\u200b",
    ],
)
def test_no_other_spelling_of_an_address_opens_its_account(spelling: str) -> None:
    """Guess by a further spelling, which has counters of its own."""
    member = a_person(a_clinic(), email="eva.ski@clinic.example")
    browser = Client()

    _try(spelling, PASSWORD, client=browser)

    # A capital K by its Kelvin sign is the small letter k for Python, too: the same name for all counters.
    assert is_in(browser) == (spelling.strip().lower() == member.user.email)
