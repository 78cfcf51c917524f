"""Tokens with which programs use the API.

An access token opens requests for a few minutes. A refresh token is taken once, for the next two tokens. All
that come of one sign-in are a family: a refresh token that comes a second time is in two hands, so its family
ends and both have to sign in again. Each use looks at the family and its person, so that whatever ends them
(a new password, a disabled or deleted account) is felt at once.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.models import TokenFamily, User

MOST_FAMILIES = 50  # of one person; a further sign-in ends the oldest

FAMILY, TOKEN_ID = "family", "jti"
READ_ONLY, PASSWORD_AT = "read_only", "password_at"  # seconds since 1970

logger = logging.getLogger(__name__)


class TokenRefused(Exception):
    """A token that is not valid, or not any more; the text is for whoever sent it."""

    def __init__(self) -> None:
        super().__init__("This token is not valid, or not any more. Sign in again.")


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str
    refresh: str


def issue(*, user: User, is_read_only: bool = False) -> TokenPair:
    """Begin a family for who has just given their password. Read-only tokens change nothing."""
    family = TokenFamily(user=user, password_mark=user.get_session_auth_hash(), is_read_only=is_read_only)
    refresh = _refresh_token(family)
    family.newest = refresh[TOKEN_ID]
    family.save()
    newest = user.token_families.order_by("-created_at").values_list("pk", flat=True)[:MOST_FAMILIES]
    user.token_families.exclude(pk__in=list(newest)).delete()
    return TokenPair(str(_access_token(family)), str(refresh))


def refresh(*, token: str) -> TokenPair:
    """Return the next tokens in exchange for a refresh token. Raises TokenRefused.

    Of two requests with the same token one gets them; the other ends the family.
    """
    given = _read(token)
    family = _family_of(given)
    following = _refresh_token(family)
    unused = TokenFamily.objects.filter(pk=family.pk, newest=given[TOKEN_ID])
    if not unused.update(newest=following[TOKEN_ID]):
        logger.warning("A refresh token of %s came a second time: its family is ended", family.user)
        TokenFamily.objects.filter(pk=family.pk).delete()
        raise TokenRefused
    return TokenPair(str(_access_token(family)), str(following))


def revoke(*, token: str) -> None:
    """End the family of a refresh token; one that is not valid any more has none."""
    try:
        TokenFamily.objects.filter(pk=_read(token).get(FAMILY)).delete()
    except TokenRefused:
        return


def bearer_of(token: Token) -> User:
    """Return whose token it is, as their account is now. Raises TokenRefused."""
    return _family_of(token).user


def has_given_password(token: Token) -> bool:
    """Whether its family began within ACCOUNT_REAUTHENTICATION_TIMEOUT seconds, as pages want it too."""
    latest = timezone.now() - timedelta(seconds=settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)
    return bool(token[PASSWORD_AT] >= latest.timestamp())


def _read(token: str) -> RefreshToken:
    try:
        return RefreshToken(token)  # type: ignore[arg-type]  # it takes text, whatever it declares
    except TokenError as error:
        raise TokenRefused from error


def _family_of(token: Token) -> TokenFamily:
    family = TokenFamily.objects.select_related("user").filter(pk=token.get(FAMILY)).first()
    if family is None or not family.is_alive:
        raise TokenRefused
    return family


def _refresh_token(family: TokenFamily) -> RefreshToken:
    token = RefreshToken()
    token[FAMILY] = str(family.pk)
    return token


def _access_token(family: TokenFamily) -> AccessToken:
    token = AccessToken()
    token[FAMILY] = str(family.pk)
    token[READ_ONLY] = family.is_read_only
    token[PASSWORD_AT] = int(family.created_at.timestamp())
    return token
