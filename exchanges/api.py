"""A person's own exchange accounts, for programs: what workers found, as no web process asks an exchange."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api_access import HasFullToken, require_password
from exchanges import accounts as operations
from exchanges.forms import AddAccountForm
from exchanges.models import Exchange, ExchangeAccount, timeframes_of
from exchanges.serializers import (
    AccountSerializer,
    BalanceSerializer,
    CredentialsSerializer,
    SupportedSerializer,
    ValidationSerializer,
)


class AccountInUse(APIException):
    status_code = 409
    default_code = "conflict"


class Supported(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(responses=SupportedSerializer, operation_id="supported_exchanges")
    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the exchanges of this marketplace, with the timeframes that each has candles of."""
        exchanges = [Exchange(name) for name in settings.SUPPORTED_EXCHANGES]
        found = [
            {"exchange_type": each.value, "name": each.label, "timeframes": timeframes_of(each)}
            for each in exchanges
        ]
        return Response(SupportedSerializer({"default": settings.DEFAULT_EXCHANGE, "exchanges": found}).data)


@method_decorator(never_cache, name="dispatch")
class ValidateCredentials(APIView):
    @extend_schema(
        request=CredentialsSerializer,
        responses={202: ValidationSerializer},
        operation_id="validate_credentials",
    )
    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Store the keys, sealed, as a new account, and have a worker ask the exchange what they may do.

        Ask again at `ask_at` until the account's state is no longer UNCHECKED: it is then ACTIVE, or REFUSED
        with the reason. Takes a token whose password was given within the last minutes.
        """
        require_password(request)
        asked = CredentialsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        form = AddAccountForm({"exchange": given.pop("exchange_type"), **given})
        if not form.is_valid():
            raise _in_api_words(ValidationError(form.errors.as_data()))
        try:
            account = operations.add_account(owner=request.user, **form.choices)
        except ValidationError as error:
            raise _in_api_words(error) from None
        ask_at = reverse("api:account_info", args=[account.exchange])
        return Response(ValidationSerializer({"account": account, "ask_at": ask_at}).data, status=202)


class OneAccount(APIView):
    @extend_schema(operation_id="delete_account", request=None, responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Delete your account and its keys here; delete the key at the exchange, too.

        Of one with keys it takes a token whose password was given in the last minutes. Of one that was traded
        with only the keys go, once all its subscriptions are stopped: its state is `KEYS_REMOVED` then.
        """
        own = get_object_or_404(ExchangeAccount.objects.of(request.user), pk=pk)
        if own.needs_keys:
            require_password(request)
        try:
            operations.delete_account(account=own)
        except ValidationError as error:
            raise AccountInUse(error.messages[0]) from error
        return Response(status=204)


class AccountsAt(ListAPIView):
    """One's own accounts at the exchange that the address names."""

    def get_queryset(self) -> QuerySet[ExchangeAccount]:
        exchange = self.kwargs.get("exchange")
        if exchange not in settings.SUPPORTED_EXCHANGES:
            raise Http404
        own = ExchangeAccount.objects.of(self.request.user).filter(exchange=exchange)
        return own.defer("sealed").order_by("label", "pk")


class AccountInfo(AccountsAt):
    permission_classes = (IsAuthenticated, HasFullToken)
    serializer_class = AccountSerializer

    @extend_schema(operation_id="account_info")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List your accounts at an exchange: whether their keys are used, what they may do, and why not."""
        return super().get(request, *args, **kwargs)


class AccountBalance(AccountsAt):
    serializer_class = BalanceSerializer

    @extend_schema(operation_id="account_balance")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what your accounts at an exchange hold, as it told last (`balances_at`)."""
        return super().get(request, *args, **kwargs)


def _in_api_words(error: ValidationError) -> ValidationError:
    """Return the same error with the form's `exchange` called as in the API."""
    if not hasattr(error, "error_dict"):
        return error
    return ValidationError(
        {"exchange_type" if name == "exchange" else name: told for name, told in error.error_dict.items()}
    )
