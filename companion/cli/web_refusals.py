"""The web server's own refusals of requests that are malformed or too large, with the headers of every answer."""

import re
from typing import Final

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from companion.service.bare_answer import HEADERS

_ENCODING: Final = re.compile(rb"^transfer-encoding[ \t]*:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """Waitress's parser, which refuses a body whose length can be read in two ways.

    A proxy could read the other length, and take the rest of the body for another person's request (RFC 9112, 6.3).
    """

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers. Raises waitress's ParsingError, which is answered with 400."""
        encodings = [encoding.lower() for encoding in _ENCODING.findall(header_plus)]
        super().parse_header(header_plus)
        if encodings and (encodings != [b"chunked"] or "CONTENT_LENGTH" in self.headers or self.version != "1.1"):
            raise ParsingError("The length of the body is not clear")


class _Refusal(ErrorTask):  # type: ignore[misc]  # as above
    def execute(self) -> None:
        self.response_headers += HEADERS.items()
        super().execute()


class Channel(HTTPChannel):  # type: ignore[misc]  # as above
    """A browser's connection, with our refusals."""

    parser_class = _Parser
    error_task_class = _Refusal
