"""What the API says and takes about reviews by subscribers."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import StrictSerializer
from subscriptions.models import SubscriberReview
from subscriptions.reviewing import LONGEST_TEXT


class StarsField(serializers.IntegerField):
    """A whole number that JSON has as one: neither 4.0 nor "4"."""

    def __init__(self) -> None:
        super().__init__(min_value=SubscriberReview.FEWEST_STARS, max_value=SubscriberReview.MOST_STARS)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class NewReviewSerializer(StrictSerializer):
    stars = StarsField()
    text = serializers.CharField(max_length=LONGEST_TEXT, help_text="plain, in as many lines as you like")


class SubscriberReviewSerializer(serializers.ModelSerializer):
    author = serializers.CharField(source="trader.username")
    version = serializers.CharField(source="version.number", help_text="that its author had")

    class Meta:
        model = SubscriberReview
        fields = [
            "id",
            "author",
            "stars",
            "text",
            "version",
            "days",
            "is_live",
            "created_at",
            "edited_at",
            "answer",
            "answered_at",
        ]
        read_only_fields = fields
