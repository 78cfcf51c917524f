"""Forms with files are taken whole or not at all, and not when they are larger than any that we ask for."""

from collections.abc import Mapping
from typing import IO, Any

from django.core.files.uploadhandler import (
    FileUploadHandler,
    MemoryFileUploadHandler,
    TemporaryFileUploadHandler,
)
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from bots.uploads import MOST_FORM_BYTES

TAIL_BYTES = 512  # which hold the last boundary, of at most 201 characters, and what may follow it


class WholeUploadHandler(FileUploadHandler):
    """Refuse a form without its last boundary, of which Django would take what there is.

    Such a one was cut on its way, or told less than its length.
    """

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: Mapping[str, Any],  # noqa: N803 - Django's name
        content_length: int,
        boundary: Any,  # bytes, whatever its stub says
        encoding: str | None = None,
    ) -> Any:
        """Return the form's fields and files. Raises MultiPartParserError, which is answered with 400."""
        if content_length > MOST_FORM_BYTES:
            raise MultiPartParserError(f"A form has at most {MOST_FORM_BYTES >> 20} MB.")
        stream: Any = _Remembering(input_data)
        handlers = [MemoryFileUploadHandler(self.request), TemporaryFileUploadHandler(self.request)]
        fields, files = MultiPartParser(META, stream, handlers, encoding).parse()
        if b"--" + boundary + b"--" not in stream.tail:
            raise MultiPartParserError("The form ended too early.")
        return fields, files


class _Remembering:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(size)
        self.tail = (self.tail + content)[-TAIL_BYTES:]
        return content
