"""The address from which the present act comes. The audit trail records it.

The middleware and the commands set it once in a context variable, so that no view and no command can forget it.
"""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_current: Final[ContextVar[str]] = ContextVar("act_origin", default="")
_LONGEST: Final = 64


def current() -> str:
    """The client's address, or the operator's login name; empty for the work of a service."""
    return _current.get()


@contextmanager
def acting_from(address: str) -> Iterator[None]:
    """Use this address in all audit entries that the block makes."""
    token = _current.set(address[:_LONGEST])
    try:
        yield
    finally:
        _current.reset(token)


def act_as_operator() -> None:
    """Use the operator's login name in all audit entries of this process, which runs one command."""
    try:
        _current.set(f"login {getpass.getuser()}"[:_LONGEST])
    except (OSError, KeyError):
        # A container's user may have no name.
        _current.set("a command")
