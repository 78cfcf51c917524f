"""What goes over the wire, as far as a dialect has to know it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

type Headers = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """One request. Header names are in lower case; `query` and `body` are as they came."""

    method: str
    host: str
    path: str
    query: str
    headers: Headers
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the query string, and those of a form in the body."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        if not self.headers.get("content-type", "").startswith("application/json"):
            pairs += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(pairs)

    def json(self) -> Any:
        """Return the body's JSON, {} for an empty one. Raises ValueError for anything else."""
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Reply:
    """An answer: `body` is JSON-ready data, or a plain text."""

    body: object
    status: int = 200
    headers: Headers = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":")).encode()


class Refusal(Exception):
    """The exchange's own way to say no."""

    def __init__(self, body: object, status: int, headers: Headers | None = None) -> None:
        super().__init__(str(body))
        self.reply = Reply(body, status, headers or {})
