"""What a request's body may be: one small JSON document that every reader understands alike.

The standard library also takes NaN, the last of several equal keys, nesting up to the interpreter's own limit
and half of a character, and it rounds numbers to floats.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

LARGEST_BODY = 64 * 1024  # bytes
DEEPEST = 8  # objects and lists within each other


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"Send at most {LARGEST_BODY} bytes."


class StrictJSONParser(BaseParser):
    """Reads a JSON document with exact numbers: those with a point or an exponent become Decimal."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - the signature is the framework's
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        body = stream.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
        try:
            document = json.loads(
                body.decode(), parse_float=_number, parse_constant=_refuse, object_pairs_hook=_object
            )
        except RecursionError as error:
            raise ParseError(_TOO_DEEP) from error
        except ValueError as error:  # json's own errors, bytes that are no UTF-8, endless integers, and ours
            raise ParseError(f"The body is not JSON in UTF-8: {error}") from error
        _check(document, DEEPEST)
        return document


_TOO_DEEP = f"The body is nested too deeply; {DEEPEST} levels are allowed."


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text} is out of range") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _check(value: object, levels: int) -> None:
    """Refuse what is nested deeper than so many levels, and text that is none."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if levels == 0:
            raise ParseError(_TOO_DEEP)
        for each in value:
            _check(each, levels - 1)
        if isinstance(value, dict):
            for each in value.values():
                _check(each, levels - 1)


def _check_text(text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ParseError("The body's text holds a NUL or half of a character, which cannot be stored.")
