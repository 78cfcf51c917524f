"""What every body of the API has in common, and those that are about tokens."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer):
    """Refuses names that it does not know: a misspelled limit must not count as one that is off."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [name for name, field in self.fields.items() if not field.read_only]
            expected = f"Unknown; use {', '.join(known)}." if known else "Unknown; nothing is expected here."
            unknown = {name: [expected] for name in data if name not in known}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class EmptySerializer(StrictSerializer):
    """A body without anything, or none."""


class SignInSerializer(StrictSerializer):
    username = serializers.CharField(max_length=254, help_text="user name or e-mail address")
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    code = serializers.CharField(
        max_length=32, default="", help_text="of the second factor, for an account that has one"
    )
    read_only = serializers.BooleanField(
        default=False, help_text="true: the tokens change nothing, and do not see exchange keys' details"
    )


class RefreshSerializer(StrictSerializer):
    refresh = serializers.CharField(max_length=4096, help_text="the newest refresh token; it is taken once")


class TokenPairSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="for the header `Authorization: Bearer …`")
    refresh = serializers.CharField(help_text="for /api/token/refresh/, once")
