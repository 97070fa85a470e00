"""Structs that may always be logged: their repr leaves confidential fields out."""

from typing import ClassVar

import msgspec


class Discreet(msgspec.Struct, frozen=True, gc=False):
    """A struct that shows all its fields except those in `hidden`, in a log and on a terminal (rich's protocol)."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.hidden]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"
