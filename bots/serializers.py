"""What the API says and takes about bots. What is acceptable is known to the operations that take it."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.serializers import StrictSerializer
from bot_sdk.code_policy import MAX_BYTES
from bot_sdk.gate_steps import GATE_STEPS
from bots.developer_forms import BotForm, ModelFileForm, VersionForm
from bots.drafting import EDITABLE
from bots.facts import LONGEST_TRADING_PAIR
from bots.models import Artifact, Bot, BotVersion, Category, GateRun, GateStep, Review
from bots.uploads import MODEL_KINDS


class BotSerializer(serializers.ModelSerializer):
    developer = serializers.CharField(source="developer.username")
    category = serializers.CharField(source="category.slug")
    trading_pairs = serializers.ListField(
        child=serializers.CharField(), help_text="what it is made for, such as BTC/USDT; empty: any"
    )
    timeframes = serializers.ListField(
        child=serializers.CharField(), help_text="what it is made for, such as 1h; empty: any"
    )

    class Meta:
        model = Bot
        fields = [
            "id",
            "slug",
            "name",
            "tagline",
            "description",
            "bot_type",
            "category",
            "category_id",
            "developer",
            "price_per_month",
            "trial_days",
            "trading_pairs",
            "timeframes",
            "promised_trades_per_week",
            "promised_max_drawdown_percent",
            "state",
            "state_reason",
            "created_at",
        ]


class BotFactsSerializer(StrictSerializer, serializers.ModelSerializer):
    """What a developer says about a bot, and may change."""

    category_id = serializers.PrimaryKeyRelatedField(
        source="category", queryset=Category.objects.all(), pk_field=serializers.IntegerField()
    )
    trading_pairs = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_TRADING_PAIR),
        required=False,
        help_text="what it is made for, such as BTC/USDT; empty: any",
    )
    timeframes = serializers.ListField(
        child=serializers.CharField(max_length=4),
        required=False,
        help_text="what it is made for, such as 1h; empty: any",
    )

    class Meta:
        model = Bot
        fields = ["category_id" if name == "category" else name for name in EDITABLE]


class NewBotSerializer(BotFactsSerializer):
    name = serializers.CharField(max_length=80, help_text=str(BotForm.base_fields["name"].help_text))
    tagline = serializers.CharField(
        max_length=140, required=False, help_text="for the catalogue; left out: the description's first line"
    )

    class Meta(BotFactsSerializer.Meta):
        fields = ["name", *BotFactsSerializer.Meta.fields]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first_line = attrs["description"].strip().splitlines()[0].lstrip("# ")
        return {"tagline": first_line} | attrs


class FileSerializer(serializers.ModelSerializer):
    class Meta:
        model = Artifact
        fields = ["kind", "filename", "framework", "sha256", "size"]


class StepSerializer(serializers.ModelSerializer):
    title = serializers.SerializerMethodField(help_text="what the check asks")
    evidence = serializers.ListField(
        child=serializers.DictField(),
        help_text="each with line, code, opened_at, expected, came and message, where they are known",
    )

    class Meta:
        model = GateStep
        fields = ["code", "title", "state", "sentence", "evidence", "seconds", "finished_at"]

    def get_title(self, step: GateStep) -> str:
        known = GATE_STEPS.get(step.code)
        return known.title if known else step.code


class GateSerializer(serializers.ModelSerializer):
    """The automatic checks of a version; there are no steps before a worker has begun."""

    steps = StepSerializer(many=True)

    class Meta:
        model = GateRun
        fields = ["state", "message", "created_at", "started_at", "finished_at", "steps"]


class ReviewSerializer(serializers.ModelSerializer):
    reasons = serializers.ListField(child=serializers.ChoiceField(Review.Reason.choices))

    class Meta:
        model = Review
        fields = ["decision", "reasons", "note", "decided_at"]


class VersionSerializer(serializers.ModelSerializer):
    parameters = serializers.ListField(
        child=serializers.DictField(),
        help_text="what strategy_config may set: name, type, default, minimum, maximum and choices of each",
    )
    risk_defaults = serializers.DictField(help_text="limits that the developer proposes, as in risk_config")
    files = serializers.SerializerMethodField(help_text="null unless the bot is yours")
    gate = serializers.SerializerMethodField(help_text="null unless the bot is yours and this was submitted")
    reviews = serializers.SerializerMethodField(
        help_text="what staff decided, newest first; null unless the bot is yours"
    )

    class Meta:
        model = BotVersion
        fields = [
            "id",
            "number",
            "state",
            "state_reason",
            "parameters",
            "risk_defaults",
            "warm_up",
            "release_notes",
            "created_at",
            "submitted_at",
            "published_at",
            "files",
            "gate",
            "reviews",
        ]

    @extend_schema_field(FileSerializer(many=True, allow_null=True))
    def get_files(self, version: BotVersion) -> Any:
        return FileSerializer(version.artifacts.all(), many=True).data if self._is_own(version) else None

    @extend_schema_field(GateSerializer(allow_null=True))
    def get_gate(self, version: BotVersion) -> Any:
        gate = getattr(version, "gate", None) if self._is_own(version) else None
        return gate and GateSerializer(gate).data

    @extend_schema_field(ReviewSerializer(many=True, allow_null=True))
    def get_reviews(self, version: BotVersion) -> Any:
        return ReviewSerializer(version.reviews.all(), many=True).data if self._is_own(version) else None

    def _is_own(self, version: BotVersion) -> bool:
        return bool(version.bot.developer_id == self.context["request"].user.pk)


class NotesSerializer(StrictSerializer):
    release_notes = serializers.CharField(
        allow_blank=True, help_text=str(VersionForm.base_fields["release_notes"].help_text)
    )


class DownloadSerializer(StrictSerializer):
    version = serializers.CharField(
        max_length=32, required=False, help_text="such as v1.0.0; left out: the highest number"
    )


@extend_schema_field(OpenApiTypes.STR)
class CodeField(serializers.Field):
    """Python code as text, or as a file of a form, of which no more than it may have is read."""

    default_error_messages = {"invalid": "Send the code as text, or as a file in multipart/form-data."}

    def to_internal_value(self, data: Any) -> bytes:
        if isinstance(data, UploadedFile):
            return bytes(data.read(MAX_BYTES + 1))
        if not isinstance(data, str):
            self.fail("invalid")
        return bytes(data.encode())


class VersionNumberField(serializers.CharField):
    def __init__(self) -> None:
        super().__init__(
            max_length=32,
            required=False,
            help_text="such as v1.0.0, begun when there is none; left out: the newest draft",
        )


class CodeSerializer(StrictSerializer):
    version = VersionNumberField()
    code_content = CodeField(help_text="bot.py, as text or as a file; above 64 KiB as a file only")


class PackageSerializer(StrictSerializer):
    version = VersionNumberField()
    package = serializers.FileField(allow_empty_file=True, use_url=False, help_text="a zip, as a download is")


class ModelFileSerializer(StrictSerializer):
    version = VersionNumberField()
    model_type = serializers.ChoiceField([(kind.value, kind.label) for kind in MODEL_KINDS])
    framework = serializers.CharField(
        max_length=40,
        default="",
        allow_blank=True,
        help_text=str(ModelFileForm.base_fields["framework"].help_text),
    )
    filename = serializers.CharField(
        max_length=300,
        required=False,
        help_text="under which the bot finds it; left out: the file's own name",
    )
    model_data = serializers.FileField(allow_empty_file=True, use_url=False)
