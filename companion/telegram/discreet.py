"""Structs that may be logged whatever they hold: what is confidential doesn't show in their repr."""

from typing import ClassVar

import msgspec


class Discreet(msgspec.Struct, frozen=True, gc=False):
    """Shows all its fields but those in `hidden`, on a terminal (rich's protocol) as in a log."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.hidden]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"
