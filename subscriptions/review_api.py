"""Reviews by subscribers, for programs: what the pages do, by the same operations."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from bots.api import OPEN_TO_READERS
from bots.models import Bot
from subscriptions import reviewing
from subscriptions.models import SubscriberReview, SubscriberReviewQuerySet
from subscriptions.review_serializers import NewReviewSerializer, SubscriberReviewSerializer


class Reviews(ListAPIView):
    permission_classes = OPEN_TO_READERS
    serializer_class = SubscriberReviewSerializer
    queryset = SubscriberReview.objects.none()  # for the schema

    def get_queryset(self) -> SubscriberReviewQuerySet:
        bot = _bot(self.request, self.kwargs["pk"])
        return SubscriberReview.objects.shown().filter(bot=bot).with_names()

    @extend_schema(operation_id="bot_reviews")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what subscribers say of a bot, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="review_bot",
        request=NewReviewSerializer,
        responses={201: SubscriberReviewSerializer},
        parameters=[idempotency.PARAMETER],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Review a bot that you have had for a week or more, on paper or live; once."""
        bot = _bot(request, pk)
        asked = NewReviewSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        def write() -> Response:
            review = reviewing.write(trader=request.user, bot=bot, **asked.validated_data)
            return Response(SubscriberReviewSerializer(review).data, status=201)

        return idempotency.answer_once(request, write)


class OwnReview(APIView):
    @extend_schema(
        operation_id="edit_review", request=NewReviewSerializer, responses=SubscriberReviewSerializer
    )
    def patch(self, request: Request, pk: int, review_pk: int) -> Response:
        """Change your review. It then rests on how long you have had the bot by now."""
        own = _own(request, pk, review_pk)
        asked = NewReviewSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        wanted = {"stars": own.stars, "text": own.text} | asked.validated_data
        return Response(SubscriberReviewSerializer(reviewing.rewrite(review=own, **wanted)).data)

    @extend_schema(operation_id="delete_review", responses={204: None})
    def delete(self, request: Request, pk: int, review_pk: int) -> Response:
        """Delete your review, with the developer's answer."""
        reviewing.withdraw(review=_own(request, pk, review_pk))
        return Response(status=204)


def _bot(request: Request, pk: int) -> Bot:
    return get_object_or_404(Bot.objects.visible_to(request.user), pk=pk)


def _own(request: Request, bot: int, review: int) -> SubscriberReview:
    return get_object_or_404(SubscriberReview.objects.of(request.user), bot=bot, pk=review)
