"""Requests at random, from the API's own description: none makes the platform fail or tell of its inside.

Half of them are honest: their values fit, so that they reach behind the first checks, and what they are
answered has to be what the description says. Whatever a request did is undone before the next one.
"""

import io
import json
import random
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pytest_django import Settings

from accounts import tokens
from accounts.models import User
from bots import drafting, uploads
from bots.errors import PublishingError
from bots.models import BotVersion
from bots.publishing import publish_version
from marketplace.api.errors import OPERATION_ERRORS
from subscriptions.models import Subscription
from tests.factories import (
    BUYING_BOT,
    PASSWORD,
    Program,
    make_bot,
    make_category,
    make_cycle,
    make_exchange_account,
    make_fill,
    make_order,
    make_review,
    make_subscription,
)

pytestmark = pytest.mark.django_db


def package_of(code: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bot.py", code)
    return file.getvalue()


ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, -1, 0, 1.5, 1e308, 10**30, "", " ", "x" * 300, "NaN", [], {}, [[1]], {"a": {"b": []}}]
    ),
    st.sampled_from(
        ["../admin", "' OR 1=1 --", "a\u202eb", "\u200b", "v1.0.0\n", "2026-13-01", "%s{0}", "__class__"]
    ),
    st.text(max_size=30),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
PICKLE = b"\x80\x04K\x01."
FILES = [BUYING_BOT.encode(), PICKLE, b"{}", b"", b"%PDF-1.7", b"\xff" * 5000, b"PK\x03\x04"]
FILES += [package_of(BUYING_BOT)] * 2
RAW = [
    b"",
    b"{",
    b"null",
    b"[1]",
    b'"text"',
    b'{"a": 1, "a": 2}',
    b"NaN",
    b"\xff\xfe",
    b"[" * 20_000,
    b'{"name": "\\ud800"}',
    b'"' + b"x" * 2_000_000 + b'"',
]
KINDS = [
    "application/json",
    "application/json; charset=utf-16",
    "multipart/form-data",
    MULTIPART_CONTENT,
    "text/plain",
    "",
]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
INSIDE = ("Traceback", "psycopg", "site-packages", "django.")


@dataclass
class Operation:
    method: str
    address: str
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.about["operationId"])


@dataclass
class World:
    """Who asks, what there is, and what was answered so far."""

    people: dict[str, Client]
    known: dict[str, list[Any]]  # by a value's name, or by the first part of an address for its id
    reached: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)


def plain(node: Any, components: dict[str, Any]) -> Any:
    """Return the description's part as JSON Schema: references filled in, `nullable` told by a type."""
    if isinstance(node, list):
        return [plain(each, components) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return plain(components[node["$ref"].rpartition("/")[2]], components)
    found = {name: plain(each, components) for name, each in node.items() if name != "nullable"}
    return {"anyOf": [found, {"type": "null"}]} if node.get("nullable") is True else found


def operations() -> list[Operation]:
    schema = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    paths = plain(schema["paths"], schema["components"]["schemas"])
    return [
        Operation(method.upper(), address, about)
        for address, methods in paths.items()
        for method, about in methods.items()
    ]


def honest(schema: dict[str, Any], world: World, name: str = "") -> st.SearchStrategy[Any]:
    """Values that fit the schema; what there is of such a name, where that is known."""
    if name in world.known:
        return st.sampled_from(world.known[name])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of([honest(each, world, name) for each in schema[several]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            return body_of(schema, world, honest)
        case "array":
            return st.lists(honest(schema["items"], world, name), max_size=3)
        case "integer":
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "string" if schema.get("format") == "binary":
            return st.sampled_from(FILES).map(lambda content: SimpleUploadedFile("scaler.pkl", content))
        case "string" if schema.get("format") == "decimal":
            return st.integers(0, 99).map(str)
        case _:
            return st.text(max_size=min(schema.get("maxLength", 20), 20))


def spoiled(schema: dict[str, Any], world: World, name: str = "") -> st.SearchStrategy[Any]:
    if "properties" in schema:
        return st.one_of(body_of(schema, world, spoiled), ODD)
    return st.one_of(honest(schema, world, name), honest(schema, world, name), ODD)


def body_of(schema: dict[str, Any], world: World, values: Any) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(each, world, name) for name, each in schema.get("properties", {}).items()}
    required = schema.get("required", []) if values is honest else []
    optional = {name: each for name, each in fields.items() if name not in required}
    if values is spoiled:
        optional |= {"id": ODD, "developer": ODD, "__class__": ODD}
    return st.fixed_dictionaries({name: fields[name] for name in required}, optional=optional)


@dataclass
class Parts:
    """What a request of one operation is put together from: of honest values, or of spoiled ones."""

    parameters: list[tuple[str, str, st.SearchStrategy[Any]]]  # name, place and value of each
    bodies: dict[str, st.SearchStrategy[Any]]  # by kind

    @classmethod
    def of(cls, operation: Operation, world: World, values: Any) -> "Parts":
        def known(name: str) -> str:
            return operation.address.split("/")[2] if name == "id" else name

        asked = operation.about.get("parameters", [])
        offered = operation.about.get("requestBody", {}).get("content", {})
        return cls(
            [
                (each["name"], each["in"], values(each["schema"], world, known(each["name"])))
                for each in asked
            ],
            {kind: values(each["schema"], world) for kind, each in offered.items()},
        )


def requests_of(operation: Operation, world: World) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of `Client.generic`."""
    from_honest, from_spoiled = (Parts.of(operation, world, values) for values in (honest, spoiled))

    @st.composite
    def request(draw: st.DrawFn) -> dict[str, Any]:
        is_honest = draw(st.booleans())
        parts = from_honest if is_honest else from_spoiled
        address, query, headers = operation.address, {}, {}
        for name, place, value in parts.parameters:
            if place == "path":
                address = address.replace(f"{{{name}}}", quote(str(draw(value)), safe=""))
            elif place == "query" and draw(st.booleans()):
                query[name] = str(draw(value))
            elif draw(st.booleans()):
                headers[name] = quote(str(draw(value)))  # other letters come in no header
        if is_honest:
            kind, content = body(draw, parts.bodies)
        else:
            query |= draw(st.sampled_from([{}, {}, {"ordering": "password"}]))
            kind, content = draw(st.sampled_from(KINDS)), draw(st.sampled_from(RAW))
            if draw(st.integers(0, 4)):
                kind, content = body(draw, parts.bodies)
        told = {"method": operation.method, "path": address, "data": content, "content_type": kind}
        return told | {"query_params": query, "headers": headers}

    return request()


def body(draw: st.DrawFn, bodies: dict[str, st.SearchStrategy[Any]]) -> tuple[str, bytes]:
    if not bodies:
        return "", b""
    kind = draw(st.sampled_from(sorted(bodies)))
    told = draw(bodies[kind])
    if kind == "multipart/form-data":
        fields = told if isinstance(told, dict) else {}
        told = {name: each for name, each in fields.items() if each is not None}
        return MULTIPART_CONTENT, encode_multipart(BOUNDARY, told)
    return kind, json.dumps(told, default=lambda file: file.read().decode(errors="replace")).encode()


@pytest.fixture
def world(alice: User, bob: User, mona: User, settings: Settings) -> World:
    """Alice has one of everything, in each state; the others have nothing."""
    settings.ACCOUNT_RATE_LIMITS, settings.EXCHANGE_TESTNET_MODE = False, False
    bot, category = make_bot(alice), make_category()
    numbers = {"v1.0.0": "PUBLISHED", "v1.1.0": "RETIRED", "v1.2.0": "CHECKING", "v1.3.0": "DRAFT"}
    for number, state in list(numbers.items())[1:]:
        version = drafting.start_version(bot=bot, number=number)
        uploads.put_code(version=version, content=BUYING_BOT.encode())
        BotVersion.objects.filter(pk=version.pk).update(state=state)
    uploads.put_model(
        version=bot.versions.get(state="DRAFT"), kind="WEIGHTS", filename="scaler.pkl", content=PICKLE
    )
    facts = {"tagline": "Buys.", "description": "Low.", "category": category}
    begun = drafting.create_bot(developer=alice, name="Begun", **facts)
    active, paused = make_subscription(alice), make_subscription(alice, state="PAUSED")
    make_fill(make_order(make_cycle(active, age=1)))
    for each in (active, paused):
        publish_version(bot=each.bot, number="v1.1.0", code=BUYING_BOT)
    account = make_exchange_account(alice)
    real = make_exchange_account(
        alice,
        environment="LIVE",
        permissions={"can_withdraw": False},
        balances={"USDT": {"free": "5000", "locked": "0"}},
        balances_at=timezone.now(),
    )
    reviewed, had = make_review(make_bot(), alice), make_bot()
    Subscription.objects.filter(pk=make_subscription(alice, bot=had).pk).update(created_at=LONG_AGO)
    known: dict[str, list[Any]] = {
        "bots": [*[bot.pk] * 4, begun.pk, had.pk, reviewed.bot_id],
        "review_pk": [reviewed.pk],
        "subscriptions": [active.pk, paused.pk],
        "exchanges": [account.pk, real.pk],
        "number": list(numbers),
        "version": ["v1.3.0", "v2.0.0", "v1.1.0", "v1.1.0"],
        "to_version": ["v1.1.0"],
        "revision": [0],
        "exchange": ["BINANCE"],
        "page": [1],
        "page_size": [1, 25],
        "Idempotency-Key": ["a", "b"],
        "username": ["alice"],
        "password": [PASSWORD],
        "refresh": [tokens.issue(user=alice).refresh],
        "category_id": [category.pk],
        "name": ["Calm Crosser"],
        "tagline": ["Crosses."],
        "description": ["Crosses **calmly**."],
        "release_notes": ["The *first*."],
        "timeframes": ["1h"],
        "trading_pairs": ["BTC/USDT"],
        "price_per_month": ["29.99", 5],
        "code_content": [BUYING_BOT],
        "kind": ["WEIGHTS"],
        "filename": ["scaler.pkl"],
        "model_type": ["WEIGHTS"],
        "framework": ["sklearn"],
        "bot_id": [bot.pk],
        "account_id": [None, real.pk],
        "is_confirmed": [True],
        "exchange_type": ["BINANCE"],
        "trading_pair": ["BTC/USDT"],
        "timeframe": ["1m"],
        "allocated_capital": ["1000.50", 1000],
        "strategy_config": [{}],
        "execution_config": [{"buy_order_type": "ALL", "sell_order_type": "ALL"}],
        "risk_config": [{}, {"stop_loss_percent": 5}],
        "label": ["Small bots"],
        "environment": ["TESTNET"],
        "api_key": ["K" * 64],
        "secret": ["s" * 64],
    }
    people = {
        "alice": Program(alice),
        "bob": Program(bob),
        "mona": Program(mona),
        "alice, reading": Program(alice, is_read_only=True),
        "nobody": Client(),
    }
    return World(people, known)


def judge(operation: Operation, response: Any, world: World) -> None:
    status = response.status_code
    world.statuses[status] += 1
    assert status < 500, operation.name
    if status < 400:
        world.reached.add(operation.name)
    if status == 204:
        assert response.content == b""
        return
    text = b"".join(response) if response.streaming else response.content
    if status >= 400:
        assert set(json.loads(text)["error"]) == {"code", "message", "fields"}
        assert not any(word in text.decode() for word in INSIDE), text
        return
    documented = operation.about["responses"][str(status)]["content"]
    kind = response["Content-Type"].partition(";")[0]
    assert kind in documented, (operation.name, status, kind)
    if kind == "application/json":
        Draft202012Validator(documented[kind]["schema"]).validate(json.loads(text))


def sweep(world: World, *, calls: int, number: int, **options: Any) -> None:
    every = operations()
    strategies = {each.name: requests_of(each, world) for each in every}

    @seed(number)
    @settings(
        max_examples=calls, deadline=None, database=None, suppress_health_check=list(HealthCheck), **options
    )
    @given(st.data())
    def example(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(every))
        person = data.draw(st.sampled_from(["alice", "alice", "alice", *world.people]))
        request = data.draw(strategies[operation.name])
        with transaction.atomic():
            judge(operation, world.people[person].generic(**request), world)
            transaction.set_rollback(True)

    print(f"seed {number}")
    with time_machine.travel(timezone.now(), tick=False):  # tokens last five minutes
        example()
    print(f"{world.statuses.total()} calls: {sorted(world.statuses.items())}")


def test_requests_from_the_description_do_not_make_the_api_fail(world: World) -> None:
    sweep(world, calls=150, number=7)


def test_the_sweep_notices_an_error_that_no_answer_is_known_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control arm."""
    monkeypatch.delitem(OPERATION_ERRORS, PublishingError)

    with pytest.raises(PublishingError):
        sweep(world, calls=1_000, number=7, phases=[Phase.generate], report_multiple_bugs=False)


@pytest.mark.release
def test_twenty_thousand_requests_reach_every_operation_and_none_fails(world: World) -> None:
    sweep(world, calls=20_000, number=random.SystemRandom().randrange(2**32))

    assert world.statuses.total() >= 20_000
    assert world.reached == {each.name for each in operations()}
