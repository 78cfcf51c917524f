"""Requests are in UTF-8. In another encoding, text may hold what cannot be stored, as half a character."""

import codecs
from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse


class Request(WSGIRequest):
    """A request that comes into being whatever encoding it names, so that it can be refused.

    Django's own decodes the query when it is given an encoding, and fails for one that is none of text.
    """

    @property
    def encoding(self) -> str | None:
        return self._encoding

    @encoding.setter
    def encoding(self, name: str | None) -> None:
        self._encoding = name
        for decoded in ("GET", "_post"):
            self.__dict__.pop(decoded, None)


def only_utf8(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 400 to a request that names another encoding; Django would decode its form by it."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.encoding and codecs.lookup(request.encoding).name != "utf-8":
            request.encoding = "utf-8"  # what answers looks at the query, too
            raise BadRequest("Expected a request in UTF-8.")
        return get_response(request)

    return answer
