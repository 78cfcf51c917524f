"""Whom staff have banned adds and changes nothing, by page or by program; but they read, and take away."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from bots import drafting, publishing, uploads
from bots.models import Artifact, Bot, BotVersion, DeveloperBan
from tests.bots.test_uploads import zipped
from tests.factories import BUYING_BOT, Program, make_bot, make_category

pytestmark = pytest.mark.django_db

State = BotVersion.State
REASON = "Copies others."
PAGE = "/developers/bots/calm-crosser/"
DRAFT = f"{PAGE}v1.1.0/"


@pytest.fixture
def bot(alice: User, mona: User) -> Bot:
    """Of a banned developer: one version that is not offered any more, and a draft with a file."""
    bot = make_bot(alice, name="Calm Crosser", slug="calm-crosser")
    first = publishing.retire(version=bot.versions.get())
    draft = drafting.start_version(bot=bot, number="v1.1.0", copy_of=first)
    uploads.put_model(version=draft, kind="CONFIG", filename="a.json", content=b"{}")
    DeveloperBan.objects.create(developer=alice, reason=REASON, banned_by=mona)
    return bot


def file(name: str, content: bytes = BUYING_BOT.encode()) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def facts() -> dict[str, Any]:
    return {
        "name": "Another Bot",
        "tagline": "x",
        "description": "x",
        "bot_type": "ML",
        "category": make_category().pk,
        "price_per_month": 0,
        "trial_days": 0,
    }


def everything() -> list[Mapping[str, Any]]:
    return [*Bot.objects.values(), *BotVersion.objects.values(), *Artifact.objects.values()]


def test_no_page_adds_or_changes_anything(client: Client, bot: Bot) -> None:
    client.force_login(bot.developer)
    before = everything()

    for address, given in {
        "/developers/new/": facts(),
        f"{PAGE}edit/": facts(),
        f"{PAGE}new/": {"number": "v2.0.0", "release_notes": ""},
        f"{DRAFT}notes/": {"release_notes": "New."},
        f"{DRAFT}code/write/": {"code": BUYING_BOT},
        f"{DRAFT}code/upload/": {"code_file": file("bot.py")},
        f"{DRAFT}models/upload/": {"kind": "CONFIG", "model_file": file("b.json", b"{}")},
        f"{DRAFT}package/upload/": {"package": file("p.zip", zipped({"bot.py": b"x = 1"}).read())},
        f"{DRAFT}submit/": {},
        f"{PAGE}v1.0.0/offer/": {},
        f"{PAGE}v1.0.0/roll-back/": {},
    }.items():
        answer = client.post(address, given, follow=True)
        assert REASON in answer.content.decode(), address
        assert everything() == before, address


def test_no_program_adds_or_changes_anything(bot: Bot) -> None:
    program, address = Program(bot.developer), f"/api/bots/{bot.pk}/"
    before = everything()

    for answer in (
        program.send("/api/bots/", facts()),
        program.patch(address, {"tagline": "New."}, "application/json"),
        program.patch(f"{address}versions/v1.1.0", {"release_notes": "New."}, "application/json"),
        program.send(f"{address}upload-code", {"code_content": BUYING_BOT}),
        program.post(f"{address}upload-model", {"model_type": "CONFIG", "model_data": file("b.json", b"{}")}),
        program.post(
            f"{address}upload-package", {"package": file("p.zip", zipped({"bot.py": b"x = 1"}).read())}
        ),
        program.send(f"{address}versions/v1.1.0/submit"),
        program.send(f"{address}versions/v1.0.0/offer"),
        program.send(f"{address}versions/v1.0.0/roll-back"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
        assert REASON in answer.json()["error"]["message"]
    assert everything() == before


def test_they_read_and_take_away_on_pages(client: Client, bot: Bot) -> None:
    client.force_login(bot.developer)
    [removed] = Artifact.objects.filter(filename="a.json")
    waiting = BotVersion.objects.create(bot=bot, number="v1.2.0", state=State.IN_REVIEW)
    offered = BotVersion.objects.create(bot=bot, number="v1.3.0", state=State.PUBLISHED)

    for address in ("/developers/", PAGE, DRAFT, f"{DRAFT}code/", f"{DRAFT}package.zip"):
        answer = client.get(address)
        assert answer.getvalue()
        assert answer.status_code == 200
    for address in (
        f"{DRAFT}files/{removed.pk}/remove/",
        f"{DRAFT}discard/",
        f"{PAGE}v1.2.0/withdraw/",
        f"{PAGE}v1.3.0/retire/",
        f"{PAGE}retire/",
    ):
        assert REASON not in client.post(address, follow=True).content.decode()

    assert not Artifact.objects.filter(filename="a.json").exists()
    assert not bot.versions.filter(number="v1.1.0").exists()
    for version, state in ((waiting, State.WITHDRAWN), (offered, State.RETIRED)):
        version.refresh_from_db()
        assert version.state == state
    bot.refresh_from_db()
    assert bot.state == Bot.State.RETIRED


def test_they_read_and_take_away_by_program(bot: Bot) -> None:
    program, address = Program(bot.developer), f"/api/bots/{bot.pk}/"
    never = Bot.objects.create(
        **{"developer": bot.developer, "name": "N", "slug": "n"}, category=bot.category
    )
    BotVersion.objects.create(bot=bot, number="v1.2.0", state=State.CHECKING)
    BotVersion.objects.create(bot=bot, number="v1.3.0", state=State.PUBLISHED)

    codes = [
        program.get(f"{address}versions/v1.1.0").status_code,
        program.delete(f"{address}versions/v1.1.0/files/CONFIG/a.json").status_code,
        program.delete(f"{address}versions/v1.1.0").status_code,
        program.delete(f"/api/bots/{never.pk}/").status_code,
        program.send(f"{address}versions/v1.2.0/withdraw").status_code,
        program.send(f"{address}versions/v1.3.0/retire").status_code,
        program.send(f"{address}retire").status_code,
    ]

    assert codes == [200, 204, 204, 204, 200, 200, 200]
