"""Requests are in UTF-8. In another encoding, text may hold what cannot be stored, as half a character."""

import codecs
from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse


def only_utf8(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 400 to a request that names another encoding; Django would decode its form by it."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.encoding and codecs.lookup(request.encoding).name != "utf-8":
            request.encoding = "utf-8"  # what answers looks at the query, too
            raise BadRequest("Expected a request in UTF-8.")
        return get_response(request)

    return answer
