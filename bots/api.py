"""Bots for programs: the catalogue, and what developers do on their pages, by the same operations.

What is not published is there for its developer only; to everybody else it looks like what does not exist.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import (
    SAFE_METHODS,
    BasePermission,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from accounts.api_access import WhateverIsAccepted, WritesWithFullToken
from accounts.serializers import EmptySerializer
from bots import drafting, packages, publishing, uploads
from bots.catalogue import categories_with_bots
from bots.listings import Listing, Row, Statement
from bots.models import Artifact, Bot, BotQuerySet, BotVersion, BotVersionQuerySet
from bots.serializers import (
    BotFactsSerializer,
    BotSerializer,
    CodeSerializer,
    DownloadSerializer,
    ModelFileSerializer,
    NewBotSerializer,
    NotesSerializer,
    PackageSerializer,
    VersionSerializer,
)
from bots.upload_parser import UploadParser

NUMBER = OpenApiParameter("number", str, OpenApiParameter.PATH, description="such as v1.0.0")


class MayPublish(BasePermission):
    """The rule of the operations, held before anything is looked up: staff learn nothing of a bot by it."""

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002
        if request.method not in (*SAFE_METHODS, "DELETE"):
            drafting.check_may_publish(request.user)
        return True


_SOURCES = {"developer": "developer__username", "category": "category__slug"}
LISTED_COLUMNS = [_SOURCES.get(name, name) for name in BotSerializer.Meta.fields]

OPEN_TO_READERS = (IsAuthenticatedOrReadOnly, WritesWithFullToken)
PUBLISHES = (IsAuthenticated, WritesWithFullToken, MayPublish)


class Bots(ListAPIView):
    permission_classes = (*OPEN_TO_READERS, MayPublish)
    serializer_class = BotSerializer
    queryset = Bot.objects.none()  # for the schema

    @extend_schema(operation_id="bots")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the bots that can be subscribed to."""
        return super().get(request, *args, **kwargs)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002
        """Give what the serializer would, by plain values: a list of models costs several times as much."""
        count = sum(category.bot_count for category in categories_with_bots())
        page = self.paginate_queryset(Listing(_listed_facts(), lambda: count))
        return self.get_paginated_response([_as_serialized(row) for row in page])

    @extend_schema(operation_id="create_bot", request=NewBotSerializer, responses={201: BotSerializer})
    def post(self, request: Request) -> Response:
        """Create a draft of a bot, which nobody else sees. Its name and address never change."""
        asked = NewBotSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = drafting.create_bot(developer=request.user, **asked.validated_data)
        return Response(BotSerializer(made).data, status=201)


@cache
def _listed_facts() -> Statement:
    return Statement.of(Bot.objects.published().order_by("name").values_list(*LISTED_COLUMNS))


def _as_serialized(row: Row) -> dict[str, Any]:
    exact = (str(value) if isinstance(value, Decimal) else value for value in row)
    return dict(zip(BotSerializer.Meta.fields, exact, strict=True))


class OneBot(RetrieveAPIView):
    permission_classes = (*OPEN_TO_READERS, MayPublish)
    serializer_class = BotSerializer
    queryset = Bot.objects.none()  # for the schema

    def get_queryset(self) -> BotQuerySet:
        return Bot.objects.visible_to(self.request.user).select_related("developer", "category")

    @extend_schema(operation_id="bot")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show a bot that can be subscribed to, or one of your own."""
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="edit_bot", request=BotFactsSerializer, responses=BotSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Change what you say about your bot."""
        own = _own_bot(request, pk)
        asked = BotFactsSerializer(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        return Response(BotSerializer(drafting.edit_bot(bot=own, **asked.validated_data)).data)

    @extend_schema(operation_id="delete_bot", request=None, responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Delete a bot of yours that was never published, with its versions and their files."""
        drafting.delete_bot(bot=_own_bot(request, pk))
        return Response(status=204)


class RetireBot(APIView):
    @extend_schema(operation_id="retire_bot", request=EmptySerializer, responses=BotSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Take your bot off the catalogue for good. Its subscribers keep what they have."""
        own = _own_bot(request, pk)
        EmptySerializer(data=request.data).is_valid(raise_exception=True)
        return Response(BotSerializer(publishing.retire_bot(bot=own)).data)


class Versions(ListAPIView):
    permission_classes = OPEN_TO_READERS
    serializer_class = VersionSerializer
    queryset = BotVersion.objects.none()  # for the schema

    def get_queryset(self) -> QuerySet[BotVersion]:
        return _readable_versions(self.request, self.kwargs["pk"]).order_by("-created_at", "-pk")

    @extend_schema(operation_id="bot_versions")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List a bot's published versions, and of your own bot all, newest first.

        A new subscription gets the first one that is published.
        """
        return super().get(request, *args, **kwargs)


class OneVersion(APIView):
    permission_classes = (*OPEN_TO_READERS, MayPublish)

    @extend_schema(operation_id="bot_version", parameters=[NUMBER], responses=VersionSerializer)
    def get(self, request: Request, pk: int, number: str) -> Response:
        """Show a published version, or one of your own with its files, its checks and what staff said."""
        return _version(request, get_object_or_404(_readable_versions(request, pk), number=number))

    @extend_schema(
        operation_id="edit_version",
        parameters=[NUMBER],
        request=NotesSerializer,
        responses=VersionSerializer,
    )
    def patch(self, request: Request, pk: int, number: str) -> Response:
        """Write your draft's release notes."""
        own = _own_version(request, pk, number)
        asked = NotesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return _version(request, drafting.write_notes(version=own, **asked.validated_data))

    @extend_schema(operation_id="discard_version", parameters=[NUMBER], request=None, responses={204: None})
    def delete(self, request: Request, pk: int, number: str) -> Response:
        """Delete your draft with its files. What was submitted stays."""
        drafting.discard(version=_own_version(request, pk, number))
        return Response(status=204)


class UploadCode(APIView):
    permission_classes = PUBLISHES
    parser_classes = (UploadParser, *api_settings.DEFAULT_PARSER_CLASSES)

    @extend_schema(
        operation_id="upload_code",
        request={"multipart/form-data": CodeSerializer, "application/json": CodeSerializer},
        responses=VersionSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Give a draft of your bot its code, in place of any that it has. Nothing of it is run."""
        own = _own_bot(request, pk)
        asked = CodeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        with _upload(own, given, "code_content") as draft:
            uploads.put_code(version=draft, content=given["code_content"])
        return _version(request, draft)


class UploadModel(APIView):
    permission_classes = PUBLISHES
    parser_classes = (UploadParser,)

    @extend_schema(operation_id="upload_model", request=ModelFileSerializer, responses=VersionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Give a draft of your bot a file beside its code, in place of one of that type and name."""
        own = _own_bot(request, pk)
        asked = ModelFileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        file = given["model_data"]
        with _upload(own, given, "model_data") as draft:
            uploads.put_model(
                version=draft,
                kind=given["model_type"],
                filename=given.get("filename", file.name),
                content=file.read(uploads.MOST_FILE_BYTES + 1),
                framework=given["framework"],
            )
        return _version(request, draft)


class UploadPackage(APIView):
    permission_classes = PUBLISHES
    parser_classes = (UploadParser,)

    @extend_schema(operation_id="upload_package", request=PackageSerializer, responses=VersionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Give a draft of your bot exactly the files of a zip, in place of all that it has."""
        own = _own_bot(request, pk)
        asked = PackageSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        with _upload(own, given, "package") as draft:
            uploads.put_package(version=draft, file=given["package"])
        return _version(request, draft)


class OneFile(APIView):
    @extend_schema(
        operation_id="remove_file",
        parameters=[
            NUMBER,
            OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=Artifact.Kind.values),
            OpenApiParameter("filename", str, OpenApiParameter.PATH, description="such as scaler.pkl"),
        ],
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, pk: int, number: str, kind: str, filename: str) -> Response:
        """Take a file from your draft."""
        own = _own_version(request, pk, number)
        if "\x00" in kind + filename:  # which the database refuses
            raise Http404
        artifact = get_object_or_404(own.artifacts, kind=kind, filename=filename)
        uploads.remove_file(version=own, artifact=artifact)
        return Response(status=204)


class Submit(APIView):
    permission_classes = PUBLISHES

    @extend_schema(
        operation_id="submit_version",
        parameters=[NUMBER],
        request=EmptySerializer,
        responses=VersionSerializer,
    )
    def post(self, request: Request, pk: int, number: str) -> Response:
        """Hand your draft in. It cannot change any more, and is checked: see `gate` of the version."""
        return _change(request, pk, number, drafting.submit)


class Withdraw(APIView):
    @extend_schema(
        operation_id="withdraw_version",
        parameters=[NUMBER],
        request=EmptySerializer,
        responses=VersionSerializer,
    )
    def post(self, request: Request, pk: int, number: str) -> Response:
        """Take back a version that is being checked or waits for review; it never runs."""
        return _change(request, pk, number, drafting.withdraw)


class Retire(APIView):
    @extend_schema(
        operation_id="retire_version",
        parameters=[NUMBER],
        request=EmptySerializer,
        responses=VersionSerializer,
    )
    def post(self, request: Request, pk: int, number: str) -> Response:
        """Stop offering a published version. Its subscribers keep it."""
        return _change(request, pk, number, publishing.retire)


class Offer(APIView):
    permission_classes = PUBLISHES

    @extend_schema(
        operation_id="offer_version",
        parameters=[NUMBER],
        request=EmptySerializer,
        responses=VersionSerializer,
    )
    def post(self, request: Request, pk: int, number: str) -> Response:
        """Offer a retired version again."""
        return _change(request, pk, number, publishing.offer_again)


class RollBack(APIView):
    permission_classes = PUBLISHES

    @extend_schema(
        operation_id="roll_back",
        parameters=[NUMBER],
        request=EmptySerializer,
        responses=VersionSerializer,
    )
    def post(self, request: Request, pk: int, number: str) -> Response:
        """Have new subscribers get this version, by retiring all published ones above it."""
        return _change(request, pk, number, publishing.roll_back)


class Download(APIView):
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="download",
        parameters=[DownloadSerializer],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> Response | FileResponse:
        """Download a version of your bot as a zip: bot.py, models/… and metadata.json."""
        own = _own_bot(request, pk)
        asked = DownloadSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        newest = drafting.newest_version(own)
        number = asked.validated_data.get("version", newest and newest.number)
        found = _own_version(request, pk, number)
        return FileResponse(packages.pack(found), as_attachment=True, filename=packages.filename(found))


def _own_bot(request: Request, pk: int) -> Bot:
    mine = Bot.objects.by(request.user).select_related("developer", "category")
    return get_object_or_404(mine, pk=pk)


def _own_version(request: Request, pk: int, number: str | None) -> BotVersion:
    mine = BotVersion.objects.by(request.user).select_related("bot")
    return get_object_or_404(mine, bot=pk, number=number)


def _readable_versions(request: Request, pk: int) -> BotVersionQuerySet:
    readable = Bot.objects.published() | Bot.objects.by(request.user)
    bot = get_object_or_404(readable, pk=pk)
    if bot.developer_id != request.user.pk:
        return bot.versions.published()
    return bot.versions.select_related("gate").prefetch_related("artifacts", "gate__steps", "reviews")


def _version(request: Request, version: BotVersion) -> Response:
    return Response(VersionSerializer(version, context={"request": request}).data)


def _change(request: Request, pk: int, number: str, operation: Callable[..., BotVersion]) -> Response:
    own = _own_version(request, pk, number)
    EmptySerializer(data=request.data).is_valid(raise_exception=True)
    return _version(request, operation(version=own))


@contextmanager
def _upload(bot: Bot, given: dict[str, Any], content: str) -> Iterator[BotVersion]:
    """Lend the draft that the body names; what is wrong is then told by the body's names."""
    try:
        with drafting.open_draft(bot=bot, number=given.get("version", "")) as draft:
            yield draft
    except ValidationError as error:
        if hasattr(error, "error_dict"):
            raise ValidationError({"version": error.messages}) from error
        raise ValidationError({content: error.messages}) from error
