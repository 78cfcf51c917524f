"""What the API says about bots."""

from rest_framework import serializers

from bots.models import Bot, BotVersion


class BotSerializer(serializers.ModelSerializer):
    developer = serializers.CharField(source="developer.username")
    category = serializers.CharField(source="category.slug")

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
            "developer",
            "price_per_month",
            "created_at",
        ]


class VersionSerializer(serializers.ModelSerializer):
    parameters = serializers.ListField(
        child=serializers.DictField(),
        help_text="what strategy_config may set: name, type, default, minimum, maximum and choices of each",
    )
    risk_defaults = serializers.DictField(help_text="limits that the developer proposes, as in risk_config")

    class Meta:
        model = BotVersion
        fields = ["id", "number", "parameters", "risk_defaults", "warm_up", "release_notes", "created_at"]
