"""How addresses name a version."""

from django.urls import register_converter

from bots.models import VERSION_NUMBER


class VersionNumber:
    """v1.0.0; what is no number leads nowhere."""

    regex = VERSION_NUMBER.removeprefix(r"\A").removesuffix(r"\Z")

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(VersionNumber, "version")

VERSION = "<version:number>/"
VERSION_OF_BOT = f"<slug:slug>/{VERSION}"
