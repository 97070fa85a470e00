"""The contents of the logs: lines that appear, and words that never do, with the product's set-up in a process."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
BEGIN = """
import logging, structlog
from companion.config.logging import configure, logging_settings
from companion.service.crashes import log_crashes
configure(logging_settings(json={json}, level="{level}"))
log_crashes()
log = structlog.stdlib.get_logger("companion.some")
"""


def logged(code: str, *, json: bool = True, level: str = "info", status: int = 0) -> str:
    """Run code with the set-up of a service, expect this exit status, and return its standard error."""
    command = [sys.executable, "-c", BEGIN.format(json=json, level=level) + code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status
    return done.stderr


def test_a_line_in_json_names_its_time_level_logger_and_message() -> None:
    code = "with structlog.contextvars.bound_contextvars(message_id='m1'): log.info('sent', attempt=2)"

    line = json.loads(logged(code))

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "sent", "level": "info", "logger": "companion.some", "message_id": "m1", "attempt": 2}


def test_a_librarys_line_has_the_same_shape_and_the_same_ids() -> None:
    code = "with structlog.contextvars.bound_contextvars(request_id='r1'): logging.getLogger('w').error('at %d', 80)"

    line = json.loads(logged(code))

    assert (line["event"], line["logger"], line["request_id"]) == ("at %d", "w", "r1")


def test_a_readable_line_says_the_same() -> None:
    line = logged("log.warning('the clock is off', seconds=7)", json=False)

    assert "the clock is off" in line
    assert "seconds=7" in line


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "code",
    [
        f"log.info('calling /bot{TOKEN}/getMe')",
        f"log.info('calling', url='/bot{TOKEN}/getMe', also=[{{'x': '{TOKEN}'}}])",
        f"logging.getLogger('aiohttp.client').error('no answer from %s', '/bot{TOKEN}/getMe')",
        f"try: raise ValueError('bad token {TOKEN}')\nexcept ValueError: log.exception('no')",
        f"log.info('quoted', url='/bot{TOKEN.replace(':', '%3A')}/getMe')",
    ],
)
def test_a_bots_token_is_never_written(code: str, as_json: bool) -> None:
    written = logged(code, json=as_json)

    assert written
    assert TOKEN.partition(":")[2] not in written


def test_a_databases_password_is_never_written() -> None:
    written = logged("log.error('no connection', url='postgresql://ana:pa55word@db/companion')")

    assert "pa55word" not in written


def test_values_of_a_failed_functions_variables_are_never_written() -> None:
    code = "name = 'Ana Silva'\ntry: 1 / 0\nexcept ZeroDivisionError: log.exception('it failed')"

    written = logged(code)

    assert "ZeroDivisionError" in written
    assert "Ana" not in written


_ANA = "'Ana Silva'"


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        (f"try: raise KeyError({_ANA})\nexcept KeyError: log.exception('it failed')", 0, "KeyError"),
        (f"raise ValueError({_ANA})", 1, "ValueError"),
        (f"try: int({_ANA})\nexcept ValueError as error: raise RuntimeError('no') from error", 1, "ValueError"),
        (f"class Left:\n def __del__(self): raise ValueError({_ANA})\nLeft()", 0, "ValueError"),
        (
            f"import threading\ndef work(): raise ValueError({_ANA})\n"
            "thread = threading.Thread(target=work); thread.start(); thread.join()",
            0,
            "ValueError",
        ),
        (
            f"import asyncio, gc\nasync def fails(): raise ValueError({_ANA})\n"
            "async def main(): task = asyncio.create_task(fails()); await asyncio.sleep(0); del task; gc.collect()\n"
            "asyncio.run(main())",
            0,
            "never retrieved",
        ),
        (f"logging.getLogger('waitress').error('serving %s', '/patients/' + {_ANA})", 0, "serving %s"),
        (f"logging.getLogger('urllib3').error('one %s and %d', {_ANA})", 0, "one %s"),
        (f"logging.getLogger('companion.some').error('one %d', {_ANA}); log.error('after')", 0, "after"),
        (f"import warnings; warnings.warn('old value ' + {_ANA}, stacklevel=1)", 0, "UserWarning"),
        (
            f"from pydantic import TypeAdapter, ValidationError\ntry: TypeAdapter(int).validate_python({_ANA})\n"
            "except ValidationError: log.exception('it failed')",
            0,
            "ValidationError",
        ),
    ],
    ids=[
        "logged", "crash", "cause", "unraisable", "thread", "task", "library", "library_mistake", "our_mistake",
        "warning", "pydantic",
    ],
)  # fmt: skip
def test_an_errors_quotation_is_never_written(code: str, status: int, said: str) -> None:
    written = logged(code, level="debug", status=status)

    assert said in written
    assert "Ana" not in written


def test_an_errors_quotation_is_never_written_in_readable_lines_either() -> None:
    written = logged(f"log.info('begins')\nraise ValueError({_ANA})", json=False, status=1)

    assert "ValueError" in written
    assert "Ana" not in written


def test_libraries_are_silent_below_warnings_at_every_level() -> None:
    code = "logging.getLogger('urllib3.connectionpool').debug('GET /token?secret'); logging.getLogger('x').info('Ana')"

    assert logged(code, level="debug") == ""


def test_django_sets_logs_up_this_way() -> None:
    (handler,) = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]

    assert isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)


@pytest.mark.parametrize("name", ["aiohttp.access", "httpx", "django.server"])
def test_loggers_that_write_addresses_are_silent(name: str) -> None:
    assert logged(f"logging.getLogger('{name}').info('GET /path?q=Ana')") == ""


@pytest.mark.parametrize(
    ("code", "status", "event"),
    [
        ("raise ValueError('first line\\nsecond line')", 1, "the process crashed"),
        (
            "import threading\ndef work(): raise ValueError('first\\nsecond')\n"
            "thread = threading.Thread(target=work, name='ledger'); thread.start(); thread.join()",
            0,
            "the thread ledger crashed",
        ),
    ],
    ids=["process", "thread"],
)
def test_a_crash_is_one_line_too(code: str, status: int, event: str) -> None:
    (line,) = logged(code, status=status).splitlines()

    said = json.loads(line)
    assert (said["event"], said["level"]) == (event, "critical")
    assert "ValueError" in said["exception"]


def test_a_warning_of_python_is_one_line_too() -> None:
    (line,) = logged("import warnings; warnings.warn('old', DeprecationWarning, stacklevel=1)").splitlines()

    assert json.loads(line)["level"] == "warning"


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_decides_which_lines_are_written(level: str, lines: int) -> None:
    code = "log.debug('a'); log.info('b'); log.warning('c'); logging.getLogger('waitress').error('d')"

    assert len(logged(code, level=level).splitlines()) == lines
