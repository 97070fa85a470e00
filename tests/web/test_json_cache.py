"""The cache in the database: what allauth and we keep there for some minutes. It never reads a pickle."""

import base64
import datetime as dt
import pickle

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from companion.web.models import CacheEntry
from tests.builders import a_clinic
from tests.support.threads import at_once
from tests.web.accounts import PASSWORD, a_person, app_code, is_in, sign_in, with_an_app

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class _Attack:
    """A value whose pickle calls a function when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("the pickle was run",)


def test_a_pickle_that_somebody_wrote_into_the_database_is_never_run() -> None:
    cache.set("ours", 1)
    written = base64.b64encode(pickle.dumps(_Attack())).decode()
    CacheEntry.objects.update(value=written)

    assert cache.get("ours") is None
    assert cache.get_many(["ours"]) in ({}, {"ours": None})


def test_a_value_is_kept_until_its_time_is_over() -> None:
    cache.set("description", {"issuer": "x", "keys": [1, 2.5, True, None]}, 60)
    kept = cache.get("description")
    CacheEntry.objects.update(expires=timezone.now() - dt.timedelta(seconds=1))

    assert kept == {"issuer": "x", "keys": [1, 2.5, True, None]}
    assert cache.get("description", "gone") == "gone"
    assert cache.add("another", 1)
    assert CacheEntry.objects.count() == 1


def test_only_the_first_who_adds_gets_the_place() -> None:
    first, second = cache.add("code", "y", 60), cache.add("code", "z", 60)

    assert (first, second, cache.get("code")) == (True, False, "y")
    assert cache.delete("code")
    assert cache.add("code", "z", 60)


def test_a_value_may_be_replaced_and_last_longer_or_for_ever() -> None:
    cache.set("a", 1, 1)
    cache.set("a", 2, None)

    assert cache.get("a") == 2
    assert cache.touch("a", 60)
    assert not cache.touch("b", 60)
    cache.clear()
    assert not CacheEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_use_a_code_at_the_same_moment_one_person_is_refused() -> None:
    taken = at_once([lambda: cache.add("code", "y", 60)] * 4)

    assert sorted(taken) == [False, False, False, True]


def test_values_that_json_does_not_know_are_not_stored() -> None:
    with pytest.raises(TypeError):
        cache.set("a", object())


def test_a_code_of_the_app_works_once() -> None:
    member = a_person(a_clinic())
    secret = with_an_app(sign_in(member))
    code = app_code(secret, steps=1)
    clients = [Client(), Client()]

    for client in clients:
        sign_in(member, PASSWORD, client)
        client.post("/accounts/2fa/authenticate/", {"code": code})

    assert [is_in(client) for client in clients] == [True, False]
