"""Query plans: the database's own explanation of the statements that an act executes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection, transaction


@dataclass(frozen=True, slots=True)
class Plans:
    """The database planner's explanation of each statement that touches Messages, a text for each."""

    texts: tuple[str, ...]

    def all_by(self, index: str) -> bool:
        """Return whether each plan uses this index."""
        return bool(self.texts) and all(index in text for text in self.texts)

    def read_all_messages(self) -> bool:
        """Return whether a plan reads the whole table, or a whole index of it."""
        return any(line for text in self.texts for line in text.splitlines() if _reads_all(line))

    def sort(self) -> bool:
        """Return whether a plan sorts more than the equal entries at the end of an index."""
        return any(
            "TEMP B-TREE FOR ORDER BY" in text or "->  Sort" in text or "Sort Key" in text for text in self.texts
        )


def _reads_all(line: str) -> bool:
    if connection.vendor == "postgresql":
        return "Seq Scan on schedules_message" in line
    return line.startswith(("SCAN schedules_message", "SCAN m ", "SCAN n ")) or line in ("SCAN m", "SCAN n")


@dataclass(slots=True)
class _Caught:
    """Statements with their parameters."""

    table: str
    statements: list[tuple[str, object]] = field(default_factory=list)

    def __call__(
        self, execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
    ) -> object:
        if self.table in sql:
            self.statements.append((sql, params))
        return execute(sql, params, many, context)


def plans_of(act: Callable[[], object], table: str = "schedules_message") -> Plans:
    """Run the function, then ask for the plan of each of its statements on Messages (or another table)."""
    caught = _Caught(table)
    with transaction.atomic(), connection.execute_wrapper(caught):
        act()
        transaction.set_rollback(True)
    with transaction.atomic():
        return Plans(tuple(_explained(sql, params) for sql, params in caught.statements))


def _explained(sql: str, params: object) -> str:
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The planner may rightly read ten thousand rows whole. Ask here what it does with a million.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explain} {sql}", params)  # type: ignore[arg-type]  # as they were caught
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
