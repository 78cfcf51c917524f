"""What holds for the whole API: who gets in, what a body may be, how errors look, what the schema says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import get_resolver, include, path
from rest_framework.views import APIView

from accounts.models import User
from subscriptions.forms import RISK_FIELDS, SubscribeForm
from tests.factories import Program, sign_in_staff

pytestmark = pytest.mark.django_db

OPEN = {"token", "refresh", "revoke", "bots", "bot", "reviews", "versions", "version", "exchanges"}
HUGE = f"/{'9' * 40}"
VALUES = {
    "pk": "1",
    "review_pk": "1",
    "exchange": "BINANCE",
    "number": "v1.0.0",
    "kind": "CONFIG",
    "filename": "a.json",
    "what": "cycles",
}


class Fails(APIView):  # type: ignore[misc]  # the framework has no types
    def get(self, request: HttpRequest) -> None:  # noqa: ARG002
        secret = "hunter2"
        raise RuntimeError(f"a bug near {secret}")


urlpatterns = [path("api/fail", Fails.as_view()), path("", include("marketplace.urls"))]
handler500 = "marketplace.api.errors.failed"


def addresses() -> dict[str, str]:
    """Every endpoint's address by name, from the resolver: a new one is in here without being listed."""
    found = {}
    for pattern in get_resolver("marketplace.api.urls").url_patterns:
        address = re.sub(r"<\w+:(\w+)>", lambda part: VALUES[part[1]], str(pattern.pattern))
        found[str(getattr(pattern, "name", ""))] = f"/api/{address}"
    return found


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_no_endpoint_but_the_open_ones_answers_without_a_token(method: str) -> None:
    closed = {name: address for name, address in addresses().items() if name not in OPEN | {"schema"}}

    statuses = {name: getattr(Client(), method)(address).status_code for name, address in closed.items()}

    assert len(statuses) > 10
    assert set(statuses.values()) == {401}, statuses


def test_every_error_has_one_shape(bob: User) -> None:
    program = Program(bob)

    errors = [
        (401, Client().get("/api/subscriptions/")),
        (404, program.get("/api/subscriptions/1/")),
        (404, program.get("/api/nowhere")),
        (404, program.get("/api/bots/99999999999999999999999/")),
        (405, program.put("/api/subscriptions/")),
        (400, program.send("/api/subscriptions/", {})),
        (406, program.get("/api/subscriptions/", headers={"Accept": "text/html"})),
        (415, program.post("/api/subscriptions/", {"bot_id": 1})),
    ]

    for status, response in errors:
        assert response.status_code == status
        assert response["Content-Type"] == "application/json"
        error = response.json()["error"]
        assert set(error) == {"code", "message", "fields"}
        assert error["code"] and error["message"]


@override_settings(ROOT_URLCONF=__name__)
def test_our_own_failure_tells_nothing_from_inside(bob: User) -> None:
    program = Program(bob)
    program.raise_request_exception = False

    response = program.get("/api/fail")

    assert response.status_code == 500
    assert response.json()["error"]["code"] == "failed"
    assert "hunter2" not in response.content.decode()


BODIES = {
    "no JSON": (400, b"{"),
    "nothing at all": (400, b" "),
    "NaN": (400, b'{"bot_id": NaN}'),
    "infinity": (400, b'{"bot_id": -Infinity}'),
    "an exponent without end": (400, b'{"bot_id": 1e99999999999999999999}'),
    "an integer without end": (400, b'{"bot_id": ' + b"9" * 5000 + b"}"),
    "a key twice": (400, b'{"bot_id": 1, "bot_id": 2}'),
    "a key twice, within": (400, b'{"strategy_config": {"a": 1, "a": 2}}'),
    "deep objects": (400, b'{"strategy_config":' * 9 + b"1" + b"}" * 9),
    "deep beyond the interpreter": (400, b"[" * 30_000 + b"]" * 30_000),
    "too many keys": (413, json.dumps({str(n): n for n in range(50_000)}).encode()),
    "a megabyte": (413, b'"' + b"x" * 2**20 + b'"'),
    "no UTF-8": (400, b'{"bot_id": "\xff"}'),
    "UTF-16": (400, '{"bot_id": 1}'.encode("utf-16")),
    "NUL": (400, b'{"trading_pair": "BTC\\u0000"}'),
    "half a character": (400, b'{"trading_pair": "\\ud800"}'),
    "half a character as a key": (400, b'{"\\ud800": 1}'),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_readers_may_understand_differently_is_refused(bob: User, case: str) -> None:
    status, body = BODIES[case]

    response = Program(bob).generic("POST", "/api/subscriptions/", body, "application/json")

    assert response.status_code == status
    assert response.json()["error"]["code"] == {400: "parse_error", 413: "too_large"}[status]


ODD = [b"", b"[]", b"null", b'{"refresh": {}, "bot_id": [1], "execution_config": {"": 1e308}}']


@pytest.mark.parametrize(("method", "bodies"), [("GET", ODD[:1]), ("POST", ODD), ("PATCH", ODD[3:])])
def test_nothing_that_is_sent_makes_an_endpoint_fail(mona: User, method: str, bodies: list[bytes]) -> None:
    program = Program(mona)
    tried = {address.replace("/1", number) for address in addresses().values() for number in ("/1", HUGE)}

    for address in sorted(tried):
        for body in bodies:
            response = program.generic(method, address, body, "application/json")
            assert response.status_code < 500, address


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=0", 404),
        ("page=-1", 404),
        ("page=1000000000", 404),
        ("page=" + "9" * 5000, 404),
        ("page=%00", 404),
        ("page_size=1000000", 200),
        ("page_size=x", 200),
        ("ordering=password", 400),
        ("trader=1", 400),
        ("user__password__startswith=a", 400),
    ],
)
def test_a_list_takes_a_page_and_nothing_else(bob: User, query: str, status: int) -> None:
    assert Program(bob).get(f"/api/subscriptions/?{query}").status_code == status


@pytest.fixture
def schema(tmp_path: Path) -> Any:
    """The API's description, made without a single warning."""
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    return yaml.safe_load((tmp_path / "schema.yml").read_text())


def test_the_schema_states_units_and_what_a_percentage_is_of_as_the_form_does(schema: Any) -> None:
    execution = schema["components"]["schemas"]["ExecutionConfigRequest"]["properties"]
    risk = schema["components"]["schemas"]["RiskConfigRequest"]["properties"]

    assert "10 % of the subscription's allocated capital" in execution["buy_order_value"]["description"]
    assert "50 % of the subscription's own position" in execution["sell_order_value"]["description"]
    for name, field in (execution | risk).items():
        text = str(SubscribeForm.base_fields[name].help_text)
        assert text in field.get("description", ""), name
    assert set(risk) == set(RISK_FIELDS)


def test_the_schema_has_every_endpoint(schema: Any) -> None:
    documented = {address.replace("{id}", "{pk}").format(**VALUES) for address in schema["paths"]}

    assert documented == set(addresses().values()) - {"/api/schema/"}


def test_the_schema_is_for_superusers_with_their_second_factor(client: Client, bob: User, mona: User) -> None:
    assert client.get("/api/schema/").status_code == 404
    assert Program(bob).get("/api/schema/").status_code == 404
    client.force_login(bob)
    assert client.get("/api/schema/").status_code == 404

    client.force_login(mona)
    assert client.get("/api/schema/").status_code == 404
    sign_in_staff(client, mona)
    response = client.get("/api/schema/")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("application/vnd.oai.openapi")
