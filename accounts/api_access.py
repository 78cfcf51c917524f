"""Who asks the API, what their token lets them do, and in what form files are answered."""

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import Token

from accounts.models import User
from accounts.tokens import READ_ONLY, bearer_of, has_given_password


class TokenAuthentication(JWTAuthentication):
    """By access token only: a browser's session opens no endpoint, so no other site can use one."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]  # it allows any
        return bearer_of(validated_token)


class HasFullToken(BasePermission):
    message = "This token only reads what is not about keys. Sign in for one without read_only."

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002
        return request.auth is None or not request.auth[READ_ONLY]


class WritesWithFullToken(HasFullToken):
    """A read-only token may look, and change nothing."""

    def has_permission(self, request: Request, view: object) -> bool:
        return request.method in SAFE_METHODS or super().has_permission(request, view)


class PasswordNeeded(APIException):
    status_code = 403
    default_code = "password_needed"
    default_detail = "Sign in again: this takes a token whose password was given within the last minutes."


def require_password(request: Request) -> None:
    """Raise PasswordNeeded unless the token comes of a sign-in as late as pages ask for."""
    if not has_given_password(request.auth):
        raise PasswordNeeded


class WhateverIsAccepted(BaseContentNegotiation):
    """What comes is a file, or JSON about what is wrong."""

    def select_parser(self, request: Request, parsers: Any) -> Any:  # noqa: ARG002
        return parsers[0]

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002
        renderers: list[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
