"""What a trader's bots have done, and the wish to have one run now, for programs."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.api_access import WhateverIsAccepted
from accounts.serializers import EmptySerializer
from bot_sdk.parameters import ConfigError
from execution import exports
from execution.capital import change_capital
from execution.closing import sell_and_stop
from execution.models import Fill
from execution.run_now import run_now
from execution.serializers import (
    CapitalChangeSerializer,
    NewCapitalSerializer,
    PerformanceSerializer,
    QueuedSerializer,
    TradeSerializer,
)
from execution.valuation import newest_prices, value
from subscriptions.api import answer_when_quiet, asked, invalid
from subscriptions.models import CapitalChange, Subscription
from subscriptions.serializers import SubscriptionSerializer


class Performance(APIView):
    @extend_schema(operation_id="performance", responses=PerformanceSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Show what the subscription is worth, and every metric with its definition."""
        watched = Subscription.objects.of(request.user).select_related("market", "position", "performance")
        found = get_object_or_404(watched, pk=pk)
        shown = {
            "quote": found.market.quote,
            "valuation": value(found, newest_prices([found]).get(found.pk)),
            "measured": getattr(found, "performance", None),
        }
        return Response(PerformanceSerializer(shown).data)


class Capital(ListAPIView):
    serializer_class = CapitalChangeSerializer
    queryset = CapitalChange.objects.none()  # for the schema

    def get_queryset(self) -> QuerySet[CapitalChange]:
        own = get_object_or_404(Subscription.objects.of(self.request.user), pk=self.kwargs["pk"])
        return own.capital_changes.all()

    @extend_schema(operation_id="capital_changes")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what was put into the subscription and taken out of it, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="change_capital",
        request=NewCapitalSerializer,
        responses=SubscriptionSerializer,
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Trade with another capital from the next decision on. With real money it takes a fresh password."""
        own, given = asked(request, pk, NewCapitalSerializer)

        def change() -> Response:
            try:
                changed = change_capital(
                    subscription=own, capital=given["allocated_capital"], revision=given["revision"]
                )
            except ConfigError as error:
                raise invalid(error) from error
            return Response(SubscriptionSerializer(changed).data)

        return answer_when_quiet(request, own, change)


class Trades(ListAPIView):
    serializer_class = TradeSerializer
    queryset = Fill.objects.none()  # for the schema

    def get_queryset(self) -> QuerySet[Fill]:
        own = get_object_or_404(Subscription.objects.of(self.request.user), pk=self.kwargs["pk"])
        fills = Fill.objects.filter(order__subscription=own).select_related("order")
        return fills.order_by("-filled_at", "-pk")

    @extend_schema(operation_id="trades")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what was bought and sold, newest first: each execution of an order."""
        return super().get(request, *args, **kwargs)


class Export(APIView):
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="export",
        parameters=[OpenApiParameter("what", location=OpenApiParameter.PATH, enum=list(exports.FILES))],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int, what: str) -> StreamingHttpResponse:
        """Download all cycles, orders with their fills, closed trades or changes of capital as CSV."""
        own = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)
        if what not in exports.FILES:
            raise Http404
        return exports.as_file(own, what)


class Execute(APIView):
    @extend_schema(
        operation_id="execute",
        request=EmptySerializer,
        responses={202: QueuedSerializer},
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Have the newest closed candle decided now. A candle is decided once, however often it is asked."""
        EmptySerializer(data=request.data).is_valid(raise_exception=True)
        own = get_object_or_404(Subscription.objects.of(request.user), pk=pk)
        return idempotency.answer_once(request, lambda: _run(own))


class SellAndStop(APIView):
    @extend_schema(
        operation_id="sell_and_stop",
        request=EmptySerializer,
        responses=SubscriptionSerializer,
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Have all that it holds sold at the market, and the subscription ended once it is sold."""
        EmptySerializer(data=request.data).is_valid(raise_exception=True)
        own = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)

        def sell() -> Response:
            return Response(SubscriptionSerializer(sell_and_stop(subscription=own)).data)

        return answer_when_quiet(request, own, sell)


def _run(own: Subscription) -> Response:
    closed_at = run_now(subscription=own)
    return Response(QueuedSerializer({"candle_closed_at": closed_at}).data, status=202)
