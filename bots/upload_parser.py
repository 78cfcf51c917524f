"""Reads what programs upload: a form with files, which are streamed to temporary files when large."""

from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import DataAndFiles, MultiPartParser

from bots.uploads import MOST_FORM_BYTES


class FormTooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"Send at most {MOST_FORM_BYTES >> 20} MB, and as a file what is more than a line."


class UploadParser(MultiPartParser):
    """Takes each name once, so that every reader understands the form alike."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles:
        request = (parser_context or {})["request"]
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_FORM_BYTES:
            raise FormTooLarge
        try:
            form = super().parse(stream, media_type, parser_context)
        except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent) as error:
            raise FormTooLarge from error
        for name in {*form.data, *form.files}:
            if len(form.data.getlist(name)) + len(form.files.getlist(name)) > 1:
                raise ParseError(f"{name[:100]} comes twice.")
        return form
