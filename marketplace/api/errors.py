"""The one shape in which the API says that something is wrong, whoever noticed it.

    {"error": {"code": "invalid", "message": "…", "fields": {"execution_config.buy_order_value": "…"}}}

`code` is for programs and `message` for people. `fields` has one message for each wrong value, by its path in
the body, and is empty when no value is to blame. What does not exist and what is another's look the same.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.core.exceptions import ValidationError as FormError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from redis.exceptions import RedisError
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.exceptions import PermissionDenied as Forbidden
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts.tokens import TokenRefused
from bot_sdk.ledger import LedgerError
from bots.errors import (
    ArtifactError,
    InspectionUnavailable,
    MayNotPublish,
    PublishingError,
    StorageUnavailable,
    TooManyUploads,
)
from execution.errors import AlreadyDecided, NotRunning, QueueUnavailable, TooOld
from subscriptions.errors import MayNotReview, StaffDoNotTrade, SubscriptionError

logger = logging.getLogger(__name__)

API = "/api/"
NOTHING_HERE = "There is nothing here, or it is not yours."
WITHOUT_REDIS = "This cannot be done just now, and nothing has happened. Try again in a minute."
WRONG_FIELDS = "Some values are wrong; `fields` says which, and what was expected."

# what operations raise: status and code, the narrower kinds first; the message is the error's own
OPERATION_ERRORS: dict[type[Exception], tuple[int, str]] = {
    TokenRefused: (401, "token_refused"),
    MayNotPublish: (403, "permission_denied"),
    TooManyUploads: (429, "throttled"),
    InspectionUnavailable: (503, "unavailable"),
    PublishingError: (409, "conflict"),
    StorageUnavailable: (503, "unavailable"),
    ArtifactError: (409, "conflict"),
    StaffDoNotTrade: (403, "permission_denied"),
    MayNotReview: (403, "permission_denied"),
    SubscriptionError: (409, "conflict"),
    LedgerError: (409, "conflict"),
    NotRunning: (409, "not_running"),
    AlreadyDecided: (409, "already_decided"),
    TooOld: (409, "too_old"),
    QueueUnavailable: (503, "unavailable"),
}


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:  # noqa: ARG001
    """Return the answer to what a view raised; None leaves it to Django, as a failure of ours."""
    for kind, (status, code) in OPERATION_ERRORS.items():
        if isinstance(error, kind):
            return _response(status, _body(code, str(error)))
    if isinstance(error, RedisError):
        logger.error("Redis does not answer: %s", error)
        return _response(503, _body("unavailable", WITHOUT_REDIS))
    if isinstance(error, FormError):
        named = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
        error = ValidationError(named)
    if isinstance(error, Http404 | NotFound):
        error = NotFound(NOTHING_HERE)
    elif isinstance(error, PermissionDenied):
        error = Forbidden()
    if isinstance(error, ValidationError):
        return _response(400, _invalid(error.detail))
    if isinstance(error, APIException):
        wait = getattr(error, "wait", None)
        headers = {"Retry-After": str(int(wait))} if wait else {}
        return _response(error.status_code, _body(error.default_code, _sentence(error)), headers)
    return None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return JsonResponse(_body("invalid", "This request cannot be understood."), status=400)
    return defaults.bad_request(request, exception)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say why, where an operation has refused; every other reason stays inside."""
    refusal = exception.__cause__
    why = str(refusal) if isinstance(refusal, StaffDoNotTrade | MayNotReview) else ""
    return render(request, "403.html", {"why": why}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return JsonResponse(_body("not_found", NOTHING_HERE), status=404)
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(API):
        return JsonResponse(_body("failed", "Something failed on our side. Try again later."), status=500)
    return defaults.server_error(request)


def _response(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    challenge = {"WWW-Authenticate": 'Bearer realm="api"'} if status == 401 else {}
    return Response(body, status, headers={**challenge, **(headers or {})})


def _body(code: str, message: str, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "fields": dict(fields or {})}}


def _sentence(error: APIException) -> str:
    """Return one sentence; the token library puts its own beside details that are for nobody."""
    detail = error.detail
    return str(detail.get("detail", error.default_detail) if isinstance(detail, dict) else detail)


def _invalid(detail: Any) -> dict[str, Any]:
    """Return the body for wrong values, those of nested objects by their whole path."""
    told: dict[str, list[str]] = {}
    for path, message in _messages(detail, ()):
        told.setdefault(path, []).append(message)
    general = told.pop("", [])
    fields = {path: " ".join(messages) for path, messages in told.items()}
    return _body("invalid", " ".join(general) or WRONG_FIELDS, fields)


def _messages(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            is_general = name in (api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS)
            yield from _messages(inner, path if is_general else (*path, str(name)))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _messages(inner, path)
    else:
        yield ".".join(path), str(detail)
