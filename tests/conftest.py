"""The surroundings of all tests: Django on this run's database, and Chromium for tests that look at pages.

The helpers of a folder's tests are in that folder. With `COMPANION_TEST_DATABASE=postgresql`, tests that touch the
database run on PostgreSQL.
"""

import contextlib
import gc
import os
import threading
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import django
import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.servers.basehttp import WSGIServer
from django.db import connections

from companion.service import slots
from companion.service.mailing import MAIL_THREAD
from tests.support import chromium, flushing, quick_passwords, session, shares, static_files

if TYPE_CHECKING:
    from companion.clinics.models import Clinic
    from companion.patients.models import Patient
    from tests.support.stand_in import StandIn

if django_settings.configured:
    raise pytest.UsageError("Settings are loaded already, perhaps on data of your own: unset DJANGO_SETTINGS_MODULE")

# Not in a hook: the folders' own conftests, which are imported next, may import models. In another folder than the
# project's, so that a developer's own .env isn't read. The variable doesn't stay, since pytest-django would load the
# settings of xdist's workers before this file has prepared them.
with contextlib.chdir(session.prepare()):
    os.environ["DJANGO_SETTINGS_MODULE"] = "companion.config.settings"
    django.setup()
    del os.environ["DJANGO_SETTINGS_MODULE"]
if session.on_postgresql():
    # A slow machine may think for long inside a test's transaction. Product processes keep their shorter limit.
    connections["default"].settings_dict["OPTIONS"]["options"] = "-c idle_in_transaction_session_timeout=60s"
flushing.allow(connections["default"])
flushing.make_no_permissions()
django_settings.MIDDLEWARE = static_files.instead(django_settings.MIDDLEWARE)
django_settings.PASSWORD_HASHERS = quick_passwords.instead(django_settings.PASSWORD_HASHERS)

# On a slow machine, Linux resets connections beyond those that may wait for a server.
WSGIServer.request_queue_size = 100

# How long one example takes says more about the machine than about the product.
hypothesis.settings.register_profile("companion", deadline=None)
hypothesis.settings.load_profile("companion")

_FOLDERS_WITH_PROCESSES = {"browser", "cli", "faults", "journeys", "service"}
_FOLDERS_THAT_WAIT = {"dispatch", "faults", "journeys", "restoring", "sandbox", "service", "webhooks"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", action="store_true", help="run only this database's share (tests/support/shares.py)")


def pytest_itemcollected(item: pytest.Item) -> None:
    if "page" in shares.fixtures_of(item):
        if "browser" not in item.path.parts:
            raise pytest.UsageError(f"{item.nodeid} drives a browser: it belongs in tests/browser, or nobody runs it")
        item.add_marker("browser")
    if _is_quick(item):
        item.add_marker("quick")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in this thread from its first test on; others' own loops come before.
    # Tests that wait for processes come first: at the end of a run, when no other test is left, the machine would idle.
    items.sort(key=lambda item: (_in_a_browser(item), not _waits(item)))
    if config.getoption("share"):
        config.hook.pytest_deselected(items=[item for item in items if not shares.belongs_here(item)])
        items[:] = [item for item in items if shares.belongs_here(item)]


def pytest_collection_finish(session: pytest.Session) -> None:
    # The imported modules stay. Without this, looking for cycles among them took a fifth of the tests' time.
    # The garbage of tests may wait for a while.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _is_quick(item: pytest.Item) -> bool:
    """Return whether `make check` runs this test: no database, no processes, no random examples."""
    alone = not shares.touches_the_database(item) and _FOLDERS_WITH_PROCESSES.isdisjoint(item.path.parts)
    return alone and not hypothesis.is_hypothesis_test(getattr(item, "obj", None))


def _waits(item: pytest.Item) -> bool:
    """Return whether the test waits for processes or servers for most of its time."""
    return not _FOLDERS_THAT_WAIT.isdisjoint(item.path.parts)


def _in_a_browser(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let browser tests use the database beside Playwright's loop; all others keep Django's guard."""
    if not _in_a_browser(item):
        return (yield)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        return (yield)
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite is a file, as in production, and a real process with this environment opens the same file."""
    if not session.on_postgresql():
        database = connections["default"].settings_dict
        database["TEST"]["NAME"] = database["NAME"]


@pytest.fixture
def product_environment(transactional_db: None) -> dict[str, str]:
    """The environment in which a real `companion` process works on this test's database."""
    environment = dict(os.environ)
    if session.on_postgresql():
        name = django_settings.DATABASES["default"]["NAME"]
        path, _, query = os.environ["COMPANION_DATABASE_URL"].partition("?")
        environment["COMPANION_DATABASE_URL"] = f"{path.rpartition('/')[0]}/{name}?{query}"
    return environment


@pytest.fixture
def clinic(db: None) -> "Clinic":
    """A clinic. Folders whose tests need another kind of clinic have a fixture of the same name."""
    # Imported here: most quick tests need no models.
    from tests.builders import a_clinic

    return a_clinic()


@pytest.fixture
def ana(clinic: "Clinic") -> "Patient":
    """A patient of the clinic."""
    from tests.builders import a_patient

    return a_patient(clinic)


@pytest.fixture(autouse=True)
def no_slot_is_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that keeps a slot by a streamed answer that it neither reads nor closes: later tests would lack it.

    A server in a thread may send the end of its last answer a little later. An e-mail in a thread holds a slot, too.
    """
    before = _slots_taken()
    yield
    for thread in threading.enumerate():
        if thread.name == MAIL_THREAD:
            thread.join()
    if "live_server" not in request.fixturenames:
        assert _slots_taken() <= before


def _slots_taken() -> int:
    return sum(kind._taken.total() for kind in (slots.CALLS, slots.LONG, slots.PEOPLE, slots.SIGN_INS, slots.MAILS))


@pytest.fixture
def telegram() -> Iterator["StandIn"]:
    """A Bot API server that behaves as the test wants."""
    # Imported here: `make check` needs no server, and doesn't wait for aiohttp.
    from tests.support.stand_in import stand_in

    with stand_in() as server:
        yield server


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    return browser_type_launch_args | chromium.launch_args()
