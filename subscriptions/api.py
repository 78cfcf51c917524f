"""A trader's own subscriptions, for programs: what the pages do, by the same operations."""

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.api_access import HasFullToken, require_password
from accounts.serializers import EmptySerializer, StrictSerializer
from bot_sdk.parameters import ConfigError
from bots.models import Bot
from exchanges.models import ExchangeAccount
from subscriptions import changing, going_live, lifecycle
from subscriptions.errors import BeginsWithoutRealMoney
from subscriptions.forms import ORDER_TYPE_FIELDS, RISK_FIELDS, SIZING_FIELDS
from subscriptions.models import Subscription, SubscriptionQuerySet
from subscriptions.serializers import (
    ChangeSerializer,
    GoingLiveSerializer,
    GoLiveSerializer,
    LiveChoiceSerializer,
    MoveSerializer,
    NewSubscriptionSerializer,
    SubscriptionSerializer,
)

GOING_LIVE = "That is POST /api/subscriptions/{id}/go-live of it."

# where in the body a value is that operations name as the form does
PLACES = {
    "account": "account_id",
    **{name: f"execution_config.{name}" for name in (*SIZING_FIELDS, *ORDER_TYPE_FIELDS)},
    **{name: f"risk_config.{name}" for name in RISK_FIELDS},
}


class Subscriptions(ListAPIView):
    serializer_class = SubscriptionSerializer

    def get_queryset(self) -> SubscriptionQuerySet:
        return Subscription.objects.of(self.request.user).with_names()

    @extend_schema(operation_id="subscriptions")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List your subscriptions, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="subscribe",
        request=NewSubscriptionSerializer,
        responses={201: SubscriptionSerializer},
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request) -> Response:
        """Start a bot on paper or on a test account. Real money is a later step: `go_live`."""
        asked = NewSubscriptionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return idempotency.answer_once(request, lambda: _subscribe(request, asked.validated_data))


class OneSubscription(RetrieveAPIView):
    serializer_class = SubscriptionSerializer

    def get_queryset(self) -> SubscriptionQuerySet:
        return Subscription.objects.of(self.request.user).with_names()

    @extend_schema(operation_id="subscription")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show one of your subscriptions."""
        return super().get(request, *args, **kwargs)


class Pause(APIView):
    @extend_schema(operation_id="pause", request=EmptySerializer, responses=SubscriptionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Decide and order nothing until it is resumed; what is held stays. Twice changes nothing."""
        return _change(request, pk, lifecycle.pause)


class Resume(APIView):
    @extend_schema(operation_id="resume", request=EmptySerializer, responses=SubscriptionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Decide again from the next candle on. With real money it takes a token as `subscribe` does."""
        return _change(request, pk, lifecycle.resume, raises_risk=True)


class Stop(APIView):
    @extend_schema(operation_id="stop", request=EmptySerializer, responses=SubscriptionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """End it for good; its record stays."""
        return _change(request, pk, lifecycle.stop)


class GoLive(APIView):
    permission_classes = (IsAuthenticated, HasFullToken)  # it tells what a key may do

    @extend_schema(
        operation_id="going_live", parameters=[LiveChoiceSerializer], responses=GoingLiveSerializer
    )
    def get(self, request: Request, pk: int) -> Response:
        """Show what going live would do, what has to be so first, and what `go_live` has to be told."""
        own = _own(request, pk)
        going_live.refuse_others(own)
        asked = LiveChoiceSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        account = going_live.accounts_for(own).first()
        if "account_id" in asked.validated_data:
            account = _account(request, asked.validated_data["account_id"])
        capital = asked.validated_data.get("allocated_capital", own.allocated_capital)
        preview = going_live.preview(own, account=account, allocated_capital=capital)
        return Response(GoingLiveSerializer(preview).data)

    @extend_schema(
        operation_id="go_live",
        request=GoLiveSerializer,
        responses={201: SubscriptionSerializer},
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Begin another subscription, which trades with real money as this one does without it.

        It takes a token whose password, and code, was given in the last minutes.
        """
        own = _own(request, pk)
        require_password(request)
        asked = GoLiveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wish = dict(asked.validated_data)
        account = _account(request, wish.pop("account_id"))

        def go() -> Response:
            try:
                live = going_live.go_live(subscription=own, account=account, **wish)
            except ConfigError as error:
                raise invalid(error) from error
            return Response(SubscriptionSerializer(live).data, status=201)

        return answer_when_quiet(request, own, go)


class Settings(APIView):
    @extend_schema(
        operation_id="change_settings",
        request=ChangeSerializer,
        responses=SubscriptionSerializer,
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Trade with other settings from the next candle on. With real money it takes a fresh password."""
        own, given = asked(request, pk, ChangeSerializer)

        def change() -> Response:
            try:
                changed = changing.change(subscription=own, **own.documents | given)
            except ConfigError as error:
                raise invalid(error) from error
            return Response(SubscriptionSerializer(changed).data)

        return answer_when_quiet(request, own, change)


class Version(APIView):
    @extend_schema(
        operation_id="move_to_version",
        request=MoveSerializer,
        responses=SubscriptionSerializer,
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Have another version decide from the next candle on. With real money it takes a fresh password."""
        own, given = asked(request, pk, MoveSerializer)
        version = get_object_or_404(own.bot.versions.published(), number=given["to_version"])

        def move() -> Response:
            moved = changing.move(subscription=own, to=version, revision=given["revision"])
            return Response(SubscriptionSerializer(moved).data)

        return answer_when_quiet(request, own, move)


def answer_when_quiet(request: Request, own: Subscription, change: Callable[[], Response]) -> Response:
    """Answer as `answer_once` does, once nothing can be leaving that the change forbids.

    The change waits by itself; a repeat of the request, which changes nothing, is not answered earlier.
    """
    answer = idempotency.answer_once(request, change)
    lifecycle.wait_until_quiet(Subscription.objects.filter(pk=own.pk))
    return answer


def asked(request: Request, pk: int, body: type[StrictSerializer]) -> tuple[Subscription, dict[str, Any]]:
    """Return one's own subscription and the checked body of what is to be changed of it."""
    own = _own(request, pk)
    if own.is_live:
        require_password(request)
    given = body(data=request.data)
    given.is_valid(raise_exception=True)
    return own, given.validated_data


def _subscribe(request: Request, given: dict[str, Any]) -> Response:
    subscribable = Bot.objects.published() | Bot.objects.filter(state=Bot.State.RETIRED)
    bot = get_object_or_404(subscribable, pk=given.pop("bot_id"))
    account_id, account = given.pop("account_id", None), None
    if account_id is not None:
        account = _account(request, account_id)
    exchange = given.pop("exchange_type")
    try:
        started = lifecycle.subscribe(
            trader=request.user, bot=bot, exchange=exchange, account=account, **given
        )
    except ConfigError as error:
        raise invalid(error) from error
    except BeginsWithoutRealMoney as error:
        raise ValidationError({"account_id": [f"{error} {GOING_LIVE}"]}) from error
    return Response(SubscriptionSerializer(started).data, status=201)


def _own(request: Request, pk: int) -> Subscription:
    return get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)


def _account(request: Request, pk: int) -> ExchangeAccount:
    return get_object_or_404(ExchangeAccount.objects.of(request.user), pk=pk)


def invalid(error: ConfigError) -> ValidationError:
    """Return the problems as the API tells them, each at its place in the body."""
    return ValidationError({_place(name): [told] for name, told in error.problems.items()})


def _place(name: str) -> str:
    if name.startswith(lifecycle.STRATEGY_PREFIX):
        return f"strategy_config.{name.removeprefix(lifecycle.STRATEGY_PREFIX)}"
    return PLACES.get(name, name)


def _change(
    request: Request, pk: int, change: Callable[..., Subscription], *, raises_risk: bool = False
) -> Response:
    EmptySerializer(data=request.data).is_valid(raise_exception=True)
    own = _own(request, pk)
    if raises_risk and own.is_live:
        require_password(request)
    return Response(SubscriptionSerializer(change(subscription=own)).data)
