"""The web server's own refusals of requests that are malformed or too large, with the headers of every answer."""

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from companion.service.bare_answer import HEADERS


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    def execute(self) -> None:
        self.response_headers += HEADERS.items()
        super().execute()


class Channel(HTTPChannel):  # type: ignore[misc]  # as above
    """A browser's connection, with our refusals."""

    error_task_class = _Refusal
