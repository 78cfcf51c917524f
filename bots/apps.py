from django.apps import AppConfig


class BotsConfig(AppConfig):
    name = "bots"

    def ready(self) -> None:
        from bots import search, storage_checks  # noqa: F401, PLC0415 - they register themselves
