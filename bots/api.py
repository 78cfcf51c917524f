"""The catalogue for programs: what anyone may see."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from bots.models import Bot, BotVersion
from bots.serializers import BotSerializer, VersionSerializer


class Bots(ListAPIView):
    permission_classes = (AllowAny,)
    serializer_class = BotSerializer
    queryset = Bot.objects.published().select_related("developer", "category").order_by("name")

    @extend_schema(operation_id="bots")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the bots that can be subscribed to."""
        return super().get(request, *args, **kwargs)


class OneBot(RetrieveAPIView):
    permission_classes = (AllowAny,)
    serializer_class = BotSerializer
    queryset = Bots.queryset

    @extend_schema(operation_id="bot")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show one of them."""
        return super().get(request, *args, **kwargs)


class Versions(ListAPIView):
    permission_classes = (AllowAny,)
    serializer_class = VersionSerializer
    queryset = BotVersion.objects.none()  # for the schema

    def get_queryset(self) -> QuerySet[BotVersion]:
        bot = get_object_or_404(Bot.objects.published(), pk=self.kwargs["pk"])
        return bot.versions.published().order_by("-created_at", "-pk")

    @extend_schema(operation_id="bot_versions")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List a bot's versions, newest first; a new subscription gets the first one."""
        return super().get(request, *args, **kwargs)
