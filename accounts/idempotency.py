"""A request that may safely be sent again: with an `Idempotency-Key` it has one effect, and one answer.

Key, effect and answer are one transaction. So whoever is killed at whatever moment leaves all three behind or
none, and the next attempt gets the answer, or is the first. The key's row is written first, so a twin that
comes meanwhile waits for it and then reads the answer. What fails leaves no row behind: it had no effect.

What an operation waits for it registers with `transaction.on_commit`. Then no row is locked any more, and the
answer goes out when that is over.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import AnsweredRequest

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT_FOR = timedelta(days=1)

PARAMETER = OpenApiParameter(
    HEADER,
    location=OpenApiParameter.HEADER,
    description=f"Up to {LONGEST_KEY} printable characters of your own, such as a UUID. Sent again with the "
    "same key and body within a day, the request has no second effect and gets the first answer.",
)


class KeyReused(APIException):
    status_code = 422
    default_code = "key_reused"
    default_detail = f"This {HEADER} came with another request before. Take a new one for a new request."


def answer_once(request: Request, perform: Callable[[], Response]) -> Response:
    """Return what `perform` answers; for a key that was answered before, that answer again."""
    key = request.headers.get(HEADER)
    if key is None:
        return perform()
    if not 0 < len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise ValidationError(f"{HEADER}: expected up to {LONGEST_KEY} printable ASCII characters.")
    mine = AnsweredRequest.objects.filter(user=request.user)
    mine.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    digest = _digest(request)
    with transaction.atomic():
        row, is_new = mine.get_or_create(user=request.user, key=key, defaults={"request": digest})
        if row.request != digest:
            raise KeyReused
        if is_new:
            response = perform()
            row.status, row.body = response.status_code, JSONRenderer().render(response.data).decode()
            row.save(update_fields=["status", "body"])
    return Response(json.loads(row.body), row.status)


def _digest(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, default=str)
    return hashlib.sha256(f"{request.method} {request.path}\n{body}".encode()).hexdigest()
