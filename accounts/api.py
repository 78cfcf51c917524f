"""Tokens for programs: get them with a password, get the next ones, give them back."""

from allauth.account.forms import LoginForm
from allauth.account.utils import has_verified_email
from allauth.core import ratelimit
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.utils import is_mfa_enabled
from django.forms import Form
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import tokens
from accounts.models import User
from accounts.serializers import RefreshSerializer, SignInSerializer, TokenPairSerializer


class SignInRefused(APIException):
    """The same for a wrong password, an unknown name, a disabled account and an address not confirmed yet."""

    status_code = 401
    default_code = "sign_in_refused"
    default_detail = "Name and password do not fit, or the address is not confirmed yet."


class CodeNeeded(APIException):
    status_code = 401
    default_code = "code_needed"
    default_detail = "This account has a second factor: send its present code as `code`."


class TooManyAttempts(APIException):
    status_code = 429
    default_code = "throttled"
    default_detail = "Too many attempts. Try again in some minutes."


class OpenView(APIView):
    """Asks for no access token, and looks at none."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


@method_decorator(never_cache, name="dispatch")
class SignIn(OpenView):
    @extend_schema(request=SignInSerializer, responses=TokenPairSerializer, operation_id="sign_in")
    def post(self, request: Request) -> Response:
        """Return tokens for a name and a password. Attempts are limited, together with those on the page."""
        asked = SignInSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        user = _person(request._request, given["username"], given["password"])
        if is_mfa_enabled(user):
            _check_code(user, given["code"])
        pair = tokens.issue(user=user, is_read_only=given["read_only"])
        return Response(TokenPairSerializer(pair).data)


@method_decorator(never_cache, name="dispatch")
class Refresh(OpenView):
    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer, operation_id="refresh_tokens")
    def post(self, request: Request) -> Response:
        """Return the next tokens. A refresh token that comes twice ends all tokens of its sign-in."""
        asked = RefreshSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        pair = tokens.refresh(token=asked.validated_data["refresh"])
        return Response(TokenPairSerializer(pair).data)


class Revoke(OpenView):
    @extend_schema(request=RefreshSerializer, responses={204: None}, operation_id="revoke_tokens")
    def post(self, request: Request) -> Response:
        """End all tokens of a sign-in at once, the access token too."""
        asked = RefreshSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        tokens.revoke(token=asked.validated_data["refresh"])
        return Response(status=204)


@sensitive_variables()
def _person(request: HttpRequest, username: str, password: str) -> User:
    """Return who may sign in so, by the page's own form and under its limits."""
    form = LoginForm({"login": username, "password": password}, request=request)
    if not ratelimit.consume(request, action="login"):
        raise TooManyAttempts
    if not form.is_valid():
        raise TooManyAttempts if _is_limited(form) else SignInRefused
    user = form.user
    if not isinstance(user, User) or not user.is_active or not has_verified_email(user):
        raise SignInRefused
    return user


def _check_code(user: User, code: str) -> None:
    """Take the second factor's code by the page's own form; a code is taken once."""
    form = AuthenticateForm({"code": code}, user=user)
    if not form.is_valid():
        raise TooManyAttempts if _is_limited(form) else CodeNeeded
    form.authenticator.record_usage()


def _is_limited(form: Form) -> bool:
    errors = form.errors.as_data().values()
    return any(error.code == "too_many_login_attempts" for each in errors for error in each)
