"""What developers do by programs: the same as on their pages, and nothing more."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from bots import drafting, uploads
from bots.models import Artifact, Bot, BotVersion, GateRun, GateStep, Review
from execution.sandbox import apart
from tests.factories import BUYING_BOT, Program, make_bot, make_category

pytestmark = pytest.mark.django_db

State = BotVersion.State
NEWEST = BUYING_BOT + "# newer\n"


@pytest.fixture
def program(alice: User) -> Program:
    return Program(alice)


@pytest.fixture
def bot(alice: User) -> Bot:
    told = {"tagline": "Crosses.", "description": "Calmly.", "category": make_category()}
    return drafting.create_bot(developer=alice, name="Calm Crosser", **told)


@pytest.fixture
def draft(bot: Bot) -> BotVersion:
    version = drafting.start_version(bot=bot, number="v1.0.0")
    uploads.put_code(version=version, content=BUYING_BOT.encode())
    return version


def new_bot(**changes: Any) -> dict[str, Any]:
    """The guide's own example, with changes; None leaves a name out."""
    guide: dict[str, Any] = {
        "name": "My Trading Bot",
        "description": "Advanced trading strategy",
        "bot_type": "ML",
        "category_id": make_category().pk,
        "price_per_month": 29.99,
    }
    return {name: value for name, value in (guide | changes).items() if value is not None}


def file(content: bytes, name: str = "scaler.pkl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def upload_model(program: Program, bot: Bot, **changes: Any) -> Any:
    given = {"model_type": "WEIGHTS", "framework": "sklearn", "model_data": file(b"\x80\x04K\x01.")}
    return program.post(f"/api/bots/{bot.pk}/upload-model", given | changes)


def error(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    found: dict[str, Any] = response.json()["error"]
    return found


# --- a bot --------------------------------------------------------------------------------------------------


def test_a_bot_is_created_as_the_guide_has_it_and_nobody_else_sees_it(
    program: Program, alice: User, bob: User
) -> None:
    response = program.send("/api/bots/", new_bot())

    made = Bot.objects.get(developer=alice)
    assert response.status_code == 201
    told = response.json()
    assert (told["id"], told["state"], told["price_per_month"]) == (made.pk, "DRAFT", "29.99")
    assert told["tagline"] == "Advanced trading strategy"
    assert program.get(f"/api/bots/{made.pk}/").json() == told
    for address in ("/api/bots/{}/", "/api/bots/{}/versions", "/api/bots/{}/download"):
        other, missing = (Program(bob).get(address.format(pk)) for pk in (made.pk, 0))
        assert (other.status_code, other.content) == (404, missing.content)
    assert program.get(f"/api/bots/{made.pk}/download").status_code == 404  # there is no version yet
    assert Client().get("/api/bots/").json()["count"] == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Bin\u200bance"}, "name"),
        ({"name": "abc\u202e"}, "name"),
        ({"name": "Ca1m Cr0sser"}, "name"),
        ({"name": "Сalm Crosser"}, "name"),
        ({"name": "\u4e2d"}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": None}, "name"),
        ({"name": ["x"]}, "name"),
        ({"tagline": "a\u2066b"}, "tagline"),
        ({"description": "x" * 141}, "tagline"),
        ({"description": ">" * 50_000}, "description"),
        ({"description": " "}, "description"),
        ({"bot_type": "ml"}, "bot_type"),
        ({"category_id": 10**30}, "category_id"),
        ({"category_id": 1.5}, "category_id"),
        ({"category_id": True}, "category_id"),
        ({"price_per_month": 0.001}, "price_per_month"),
        ({"price_per_month": -5}, "price_per_month"),
        ({"price_per_month": 1e9}, "price_per_month"),
        ({"price_per_month": "29,99"}, "price_per_month"),
        ({"price_per_month": "NaN"}, "price_per_month"),
        ({"trial_days": 91}, "trial_days"),
        ({"timeframes": ["7m"]}, "timeframes"),
        ({"trading_pairs": ["BTC/USDT; DROP"]}, "trading_pairs"),
        ({"trading_pairs": ["BTC/USDT"] + [f"X{n}/USDT" for n in range(20)]}, "trading_pairs"),
        ({"promised_max_drawdown_percent": 100.1}, "promised_max_drawdown_percent"),
        ({"slug": "../admin"}, "slug"),
        ({"state": "LISTED"}, "state"),
        ({"developer": 1}, "developer"),
    ],
)
def test_a_bot_that_cannot_be_is_refused_by_field(
    program: Program, bot: Bot, changes: dict[str, Any], field: str
) -> None:
    told = error(program.send("/api/bots/", new_bot(**changes)), 400)

    assert set(told["fields"]) == {field}
    assert Bot.objects.get() == bot


def test_a_developer_changes_what_they_say_but_not_the_name(program: Program, bot: Bot) -> None:
    address = f"/api/bots/{bot.pk}/"

    changed = program.patch(
        address, {"price_per_month": "5", "timeframes": ["1d", "1h"]}, "application/json"
    ).json()
    told = error(program.patch(address, {"name": "Other", "slug": "x"}, "application/json"), 400)

    assert (changed["price_per_month"], changed["timeframes"]) == ("5.00", ["1h", "1d"])
    assert set(told["fields"]) == {"name", "slug"}
    bot.refresh_from_db()
    assert (bot.name, bot.tagline) == ("Calm Crosser", "Crosses.")


# --- files --------------------------------------------------------------------------------------------------


def test_code_and_model_are_uploaded_as_the_guide_has_it(program: Program, bot: Bot) -> None:
    code = program.send(f"/api/bots/{bot.pk}/upload-code", {"version": "v1.0.0", "code_content": BUYING_BOT})
    model = upload_model(program, bot, filename="scaler.pkl", model_data=file(b"\x80\x04K\x01.", "x.bin"))

    assert (code.status_code, code.json()["number"], code.json()["state"]) == (200, "v1.0.0", "DRAFT")
    assert [each["filename"] for each in model.json()["files"]] == ["bot.py", "scaler.pkl"]
    version = bot.versions.get()
    assert version.artifacts.get(kind="CODE").size == len(BUYING_BOT)
    assert version.artifacts.get(kind="WEIGHTS").framework == "sklearn"


def test_files_above_the_limit_of_json_come_by_form(program: Program, bot: Bot) -> None:
    long = BUYING_BOT + f"# {'x' * 100}\n" * 2000
    address = f"/api/bots/{bot.pk}/upload-code"
    weights = b"\x80\x04" + b"K\x010" * 2_000_000 + b"K\x01."

    as_json = program.send(address, {"version": "v1.0.0", "code_content": long})
    as_file = program.post(address, {"version": "v1.0.0", "code_content": file(long.encode(), "bot.py")})
    model = upload_model(program, bot, model_data=file(weights))

    assert error(as_json, 413)["code"] == "too_large"
    assert as_file.json()["files"][0]["size"] == len(long)
    assert (model.status_code, model.json()["files"][1]["size"]) == (200, len(weights))


def test_a_file_goes_into_the_draft_that_is_named_or_the_newest_one(program: Program, bot: Bot) -> None:
    address = f"/api/bots/{bot.pk}/upload-code"

    none = program.send(address, {"code_content": BUYING_BOT})
    for number in ("v1.0.0", "v1.1.0"):
        program.send(address, {"version": number, "code_content": BUYING_BOT})
    newest = program.send(address, {"code_content": NEWEST})
    lower = program.send(address, {"version": "v1.0.5", "code_content": BUYING_BOT})

    assert "v1.0.0" in error(none, 400)["fields"]["version"]
    assert newest.json()["number"] == "v1.1.0"
    assert "above v1.1.0" in error(lower, 400)["fields"]["version"]
    assert set(bot.versions.values_list("number", flat=True)) == {"v1.0.0", "v1.1.0"}


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"code_content": ""}, "code_content", "empty"),
        ({"code_content": file(b"\x7fELF\xff", "b")}, "code_content", "Line 1: .*UTF-8"),
        ({"code_content": file(BUYING_BOT.encode("utf-16"), "b")}, "code_content", "Line 1: .*UTF-8"),
        ({"code_content": BUYING_BOT + "x = (\n"}, "code_content", "Line 8: "),
        ({"code_content": BUYING_BOT + "x = " + "(" * 9_000}, "code_content", "Line 8: "),
        ({"code_content": "# coding: utf-7\n"}, "code_content", "Line 1: .*utf-7"),
        ({"code_content": BUYING_BOT + "\f"}, "code_content", "Line 8: .*000C"),
        ({"code_content": BUYING_BOT + "# " + "x" * 2**18}, "code_content", "larger than 256 KB"),
        ({"version": "1.0"}, "version", "v1.0.0"),
        ({"version": "v1.0.0/../x"}, "version", "v1.0.0"),
        ({"version": "v1.0.0\0"}, "version", "Null"),
        ({"key": "bots/1/code/v1.0.0/bot.py"}, "key", "Unknown"),
    ],
)
def test_code_that_cannot_be_taken_leaves_no_draft(
    program: Program, bot: Bot, changes: dict[str, Any], field: str, message: str
) -> None:
    given = {"version": "v1.0.0", "code_content": BUYING_BOT} | changes

    told = error(program.post(f"/api/bots/{bot.pk}/upload-code", given), 400)

    assert list(told["fields"]) == [field]
    assert re.search(message, told["fields"][field])
    assert not bot.versions.exists()


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"model_type": "CODE"}, "model_type", "not a valid choice"),
        ({"model_data": "text"}, "model_data", "not a file"),
        ({"model_data": file(b"")}, "model_data", "empty"),
        ({"model_data": file(b"%PDF-1.7")}, "model_data", "does not begin as"),
        ({"model_data": file(b"\x89HDF\r\n\x1a\n", "model.json")}, "model_data", "does not begin as"),
        ({"filename": "x" * 300 + ".pkl"}, "filename", "no more than 300"),
        ({"filename": "x" * 200 + ".pkl"}, "model_data", "at most 100 letters"),
        ({"filename": '";\r\nX: 1.pkl'}, "model_data", "at most 100 letters"),
        ({"filename": "../bot.pkl"}, "model_data", "at most 100 letters"),
        ({"framework": "sk<b>"}, "model_data", "framework"),
    ],
)
def test_a_model_that_cannot_be_taken_changes_nothing(
    program: Program, draft: BotVersion, changes: dict[str, Any], field: str, message: str
) -> None:
    told = error(upload_model(program, draft.bot, **changes), 400)

    assert list(told["fields"]) == [field]
    assert re.search(message, told["fields"][field])
    assert draft.artifacts.get().kind == Artifact.Kind.CODE


def test_a_package_gives_a_draft_all_its_files_and_one_is_removed(
    program: Program, draft: BotVersion
) -> None:
    upload_model(program, draft.bot)
    content = program.get(f"/api/bots/{draft.bot_id}/download").getvalue()
    upload_model(program, draft.bot, filename="more.pkl")

    packed = {"package": file(content, "mine.zip"), "version": "v1.0.0"}
    put = program.post(f"/api/bots/{draft.bot_id}/upload-package", packed)
    files = f"/api/bots/{draft.bot_id}/versions/v1.0.0/files"
    removed = program.delete(f"{files}/WEIGHTS/scaler.pkl")

    assert [each["filename"] for each in put.json()["files"]] == ["bot.py", "scaler.pkl"]
    assert (removed.status_code, removed.content) == (204, b"")
    assert [each.filename for each in draft.artifacts.all()] == ["bot.py"]
    nowhere = ("WEIGHTS/scaler.pkl", "CONFIG/bot.py", "CODE/..%2fbot.py", "CODE/%00", "%00/bot.py")
    for address in (*nowhere, f"CODE/{'x' * 5000}"):
        assert error(program.delete(f"{files}/{address}"), 404)
    drafting.submit(version=draft)
    assert "files cannot change" in error(program.delete(f"{files}/CODE/bot.py"), 409)["message"]


def test_a_package_that_cannot_be_taken_changes_nothing(program: Program, draft: BotVersion) -> None:
    for content in (b"", b"%PDF-1.7", b"PK\x05\x06" + bytes(18)):
        told = program.post(
            f"/api/bots/{draft.bot_id}/upload-package", {"package": file(content, "mine.zip")}
        )
        assert set(error(told, 400)["fields"]) == {"package"}

    assert draft.artifacts.get().filename == "bot.py"


def test_a_form_that_is_cut_double_or_too_large_is_refused(program: Program, draft: BotVersion) -> None:
    address, kind = f"/api/bots/{draft.bot_id}/upload-code", "multipart/form-data; boundary=b"
    part = f'--b\r\nContent-Disposition: form-data; name="code_content"\r\n\r\n{NEWEST}\r\n'

    cut = program.generic("POST", address, part, kind)
    double = program.generic("POST", address, f"{part}{part}--b--\r\n", kind)
    large = program.generic("POST", address, part, kind, CONTENT_LENGTH=str(uploads.MOST_FORM_BYTES + 1))
    text = program.post(address, {"code_content": "x" * 3_000_000})
    other = program.post(address, "code_content=x", "application/x-www-form-urlencoded")

    told = [error(each, status)["code"] for each, status in ((cut, 400), (double, 400), (large, 413))]
    assert told == ["parse_error", "parse_error", "too_large"]
    assert error(text, 413)["code"] == "too_large"
    assert other.status_code == 415
    assert draft.artifacts.get().size == len(BUYING_BOT)


@pytest.mark.django_db(transaction=True)
def test_too_many_uploads_at_once_are_told_so(program: Program, draft: BotVersion) -> None:
    elsewhere = connection.copy()
    try:
        with elsewhere.cursor() as cursor:
            for place in range(uploads.MOST_AT_ONCE):
                lock = [uploads.ADVISORY_LOCKS + place, draft.bot.developer_id]
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", lock)

        told = error(upload_model(program, draft.bot), 429)
    finally:
        elsewhere.close()

    assert told["code"] == "throttled"


def test_code_that_cannot_be_looked_at_now_is_not_stored(
    program: Program, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PATIENCE_SECONDS", 0.0)  # a machine that is too busy
    given = {"code_content": BUYING_BOT, "version": "v1.0.0"}

    told = error(program.send(f"/api/bots/{bot.pk}/upload-code", given), 503)

    assert (told["code"], "Try again" in told["message"]) == ("unavailable", True)
    assert not bot.versions.exists()


def test_without_storage_nothing_is_half_stored(
    program: Program, draft: BotVersion, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "no-folder").touch()
    options = {"location": tmp_path / "no-folder"}
    settings.STORAGES = settings.STORAGES | {
        "artifacts": {"BACKEND": "bots.object_stores.VersionedFolder", "OPTIONS": options}
    }

    for response in (upload_model(program, draft.bot), program.get(f"/api/bots/{draft.bot_id}/download")):
        assert error(response, 503)["code"] == "unavailable"

    assert draft.artifacts.get().kind == Artifact.Kind.CODE


# --- a version's life ---------------------------------------------------------------------------------------


def test_a_draft_is_submitted_watched_and_withdrawn(
    program: Program,
    draft: BotVersion,
    published: list[tuple[str, list[Any]]],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    address = f"/api/bots/{draft.bot_id}/versions/v1.0.0"

    with django_capture_on_commit_callbacks(execute=True):
        submitted = program.send(f"{address}/submit").json()
    gate = GateRun.objects.get(version=draft)
    GateStep.objects.create(
        gate=gate, position=1, code="source", state="FAILED", sentence="No.", evidence=[{"line": 3}]
    )
    watched = program.get(address).json()

    assert (submitted["state"], submitted["gate"]["state"]) == ("CHECKING", "WAITING")
    assert published == [("execution.tasks.run_gate", [gate.pk])]
    [step] = watched["gate"]["steps"]
    assert (step["code"], step["title"], step["state"]) == ("source", "The file can be read", "FAILED")
    assert (step["sentence"], step["evidence"]) == ("No.", [{"line": 3}])
    again = program.send(
        f"/api/bots/{draft.bot_id}/upload-code", {"version": "v1.0.0", "code_content": NEWEST}
    )
    assert "files cannot change" in error(again, 409)["message"]
    assert error(program.send(f"{address}/submit"), 409)["code"] == "conflict"
    assert program.send(f"{address}/withdraw").json()["state"] == "WITHDRAWN"
    assert error(program.delete(address), 409)["code"] == "conflict"


def test_a_draft_without_code_is_not_submitted(program: Program, bot: Bot) -> None:
    drafting.start_version(bot=bot, number="v1.0.0")

    told = error(program.send(f"/api/bots/{bot.pk}/versions/v1.0.0/submit"), 409)

    assert "no code yet" in told["message"]


def test_a_draft_gets_notes_and_is_deleted(program: Program, draft: BotVersion) -> None:
    address = f"/api/bots/{draft.bot_id}/versions/v1.0.0"

    noted = program.patch(address, {"release_notes": "The *first*."}, "application/json").json()
    hidden = program.patch(address, {"release_notes": "a\u202eb"}, "application/json")
    deleted = program.delete(address)

    assert noted["release_notes"] == "The *first*."
    assert set(error(hidden, 400)["fields"]) == {"release_notes"}
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert error(program.get(address), 404)
    assert not Artifact.objects.exists()


def test_a_published_version_is_retired_offered_and_rolled_back_to(program: Program, alice: User) -> None:
    bot = make_bot(alice)
    newer = drafting.start_version(bot=bot, number="v1.1.0")
    BotVersion.objects.filter(pk=newer.pk).update(state=State.PUBLISHED)
    address = f"/api/bots/{bot.pk}/versions"

    states = [
        program.send(f"{address}/{step}").json()["state"]
        for step in ("v1.0.0/retire", "v1.0.0/offer", "v1.0.0/retire", "v1.0.0/roll-back")
    ]

    assert states == ["RETIRED", "PUBLISHED", "RETIRED", "PUBLISHED"]
    newer.refresh_from_db()
    assert newer.state == State.RETIRED
    assert error(program.send(f"{address}/v1.1.0/retire"), 409)["code"] == "conflict"
    assert program.send(f"/api/bots/{bot.pk}/retire").json()["state"] == "RETIRED"
    assert error(program.send(f"/api/bots/{bot.pk}/retire"), 409)


def test_others_see_published_versions_only_and_nothing_of_how_they_came_about(
    program: Program, alice: User, bob: User, mona: User
) -> None:
    bot = make_bot(alice)
    version = bot.versions.get()
    GateRun.objects.create(version=version)
    Review.objects.create(version=version, reviewer=mona, decision="APPROVED", note="Fine.")
    drafting.start_version(bot=bot, number="v1.1.0")
    address = f"/api/bots/{bot.pk}/versions"

    for other in (Client(), Program(bob), Program(mona)):
        [shown] = other.get(address).json()["results"]
        assert shown["number"] == "v1.0.0"
        assert (shown["files"], shown["gate"], shown["reviews"]) == (None, None, None)
        assert other.get(f"{address}/v1.0.0").json() == shown
        assert other.get(f"{address}/v1.1.0").content == other.get(f"{address}/v9.0.0").content
    newest, oldest = program.get(address).json()["results"]
    assert (newest["number"], newest["state"], newest["gate"]) == ("v1.1.0", "DRAFT", None)
    assert [each["filename"] for each in oldest["files"]] == ["bot.py"]
    assert oldest["reviews"][0]["note"] == "Fine."


def test_more_versions_take_no_more_queries(
    program: Program, draft: BotVersion, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    address = f"/api/bots/{draft.bot_id}/versions"
    for number in ("v1.1.0", "v1.2.0"):
        GateRun.objects.create(version=drafting.start_version(bot=draft.bot, number=number))

    with django_assert_num_queries(7):  # token, bot, count, versions with gates, files, steps, reviews
        assert program.get(address).json()["count"] == 3


def test_the_developer_alone_downloads_a_package(
    program: Program, alice: User, bob: User, mona: User
) -> None:
    bot = make_bot(alice)
    newer = drafting.start_version(bot=bot, number="v1.10.0")
    uploads.put_code(version=newer, content=NEWEST.encode())
    address = f"/api/bots/{bot.pk}/download"

    newest = program.get(address, headers={"Accept": "application/zip"})
    first = program.get(f"{address}?version=v1.0.0")

    with ZipFile(BytesIO(newest.getvalue())) as archive:
        assert archive.namelist() == ["bot.py", "metadata.json"]
        assert archive.read("bot.py").decode() == NEWEST
    assert newest["Content-Disposition"] == f'attachment; filename="{bot.slug}-v1.10.0.zip"'
    assert newest["X-Content-Type-Options"] == "nosniff"
    assert b"# newer" not in first.getvalue()
    for other, status in ((Client(), 401), (Program(bob), 404), (Program(mona), 404)):
        error(other.get(address), status)
    error(program.get(f"{address}?version=v9.0.0"), 404)
    error(program.get(f"{address}?version=%00"), 400)
    error(program.get(f"{address}?number=v1.0.0"), 400)


# --- who may ------------------------------------------------------------------------------------------------

WRITES = [
    ("POST", "/api/bots/"),
    ("PATCH", "/api/bots/{}/"),
    ("PATCH", "/api/bots/{}/versions/v1.0.0"),
    ("DELETE", "/api/bots/{}/"),
    ("DELETE", "/api/bots/{}/versions/v1.0.0"),
    ("DELETE", "/api/bots/{}/versions/v1.0.0/files/CODE/bot.py"),
    *(
        ("POST", f"/api/bots/{{}}/{deed}")
        for deed in ("retire", "upload-code", "upload-model", "upload-package")
    ),
    *(
        ("POST", f"/api/bots/{{}}/versions/v1.0.0/{deed}")
        for deed in ("submit", "withdraw", "retire", "offer", "roll-back")
    ),
]
PUBLISHING = ("bots/", "upload-code", "upload-model", "upload-package", "submit", "offer", "roll-back")


@pytest.mark.parametrize(("method", "address"), WRITES)
def test_only_the_developer_with_a_full_token_writes(
    bob: User, mona: User, draft: BotVersion, method: str, address: str
) -> None:
    alice = draft.bot.developer
    Bot.objects.filter(pk=draft.bot_id).update(state=Bot.State.LISTED)
    BotVersion.objects.filter(pk=draft.pk).update(state=State.PUBLISHED)
    before = list(BotVersion.objects.values()), list(Bot.objects.values())

    def status(client: Client, pk: int = draft.bot_id) -> int:
        code: int = client.generic(method, address.format(pk), b"{", "application/json").status_code
        return code

    is_creation = address == "/api/bots/"
    assert status(Client()) == 401
    assert status(Program(alice, is_read_only=True)) == 403
    assert status(Program(mona)) in ((403,) if address.endswith(PUBLISHING) else (403, 404))
    assert status(Program(bob)) == (400 if is_creation else 404)  # a body is read for those who may
    assert status(Program(alice), 10**30) == (400 if is_creation else 404)
    assert (list(BotVersion.objects.values()), list(Bot.objects.values())) == before


def test_staff_publish_nothing_on_the_pages_either(client: Client, mona: User) -> None:
    client.force_login(mona)
    told = {"name": "Mine", "tagline": "x", "description": "x", "bot_type": "ML", "trial_days": 0}

    response = client.post("/developers/new/", told | {"category": make_category().pk, "price_per_month": 0})

    assert response.status_code == 400
    assert "Staff judge bots" in response.content.decode()
    assert not Bot.objects.exists()
