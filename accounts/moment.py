"""Answers that are kept for a moment, so that a page that many ask for at once is made once.

Each process keeps its own, for `KEPT_SECONDS` and no longer: nothing that was withdrawn is shown after that,
however many processes there are. What a person's own browser brought is never kept for others.
"""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

KEPT_SECONDS = 5
HTMX_HEADERS = ("HX-Request", "HX-Target")  # by which a view tells a part of a page from the whole
PERSONAL_COOKIES = (settings.SESSION_COOKIE_NAME, "messages")

View = Callable[..., HttpResponse]


def kept_for_visitors(view: View) -> View:
    """Give visitors who are not signed in an answer that is at most `KEPT_SECONDS` old.

    One per address with its query, and per part that htmx asks for. Whoever has a session, signed in or
    not, or a message waiting, gets an answer of their own; one that would set a cookie is not kept.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "GET" or any(name in request.COOKIES for name in PERSONAL_COOKIES):
            return view(request, *args, **kwargs)
        asked = repr((request.get_full_path(), [request.headers.get(name) for name in HTMX_HEADERS]))
        key = sha256(asked.encode()).hexdigest()
        kept = caches["pages"].get(key)
        if kept is not None:
            content, headers = kept
            return HttpResponse(content, headers=headers)
        made = view(request, *args, **kwargs)
        patch_vary_headers(made, ["Cookie", *HTMX_HEADERS])
        sets_cookie = bool(made.cookies) or "CSRF_COOKIE_NEEDS_UPDATE" in request.META
        if made.status_code == 200 and not made.streaming and not sets_cookie:
            caches["pages"].set(key, (made.content, dict(made.items())), KEPT_SECONDS)
        return made

    return answer
