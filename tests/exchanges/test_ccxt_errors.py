"""I4: what is unknown is never booked as refused."""

import ccxt
import pytest
from ccxt.base import errors

from exchanges.ccxt_errors import MEANINGS, TEXT_LIMIT, Meaning, Phase, meaning_of, own_words, translated
from exchanges.errors import ExchangeError, ExchangeUnavailable, KeyRefused, OutcomeUnknown, RateLimited
from exchanges.models import Exchange

# Answers that say no: only these may end an order that has left. All others leave it unknown.
ANSWERS = {
    ccxt.AuthenticationError,
    ccxt.BadRequest,
    ccxt.OperationRejected,
    ccxt.InsufficientFunds,
    ccxt.InvalidAddress,
    ccxt.InvalidOrder,
    ccxt.DDoSProtection,
    ccxt.RateLimitExceeded,
    ccxt.InvalidNonce,
}
# They descend from an answer and are none.
NO_ANSWERS = {ccxt.OrderNotFound, ccxt.OrderNotCached, ccxt.DuplicateOrderId, ccxt.ChecksumError}


def classes_of(root: type[Exception] = ccxt.BaseError) -> set[type[Exception]]:
    return {root}.union(*(classes_of(kind) for kind in root.__subclasses__()))


def test_every_class_of_ccxt_has_a_row() -> None:
    named = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}

    assert MEANINGS.keys() == classes_of() == named


def test_a_class_without_a_row_leaves_an_order_unknown() -> None:
    class BrandNew(Exception):
        pass

    assert meaning_of("BINANCE", BrandNew(), Phase.AFTER_SEND) == Meaning.UNKNOWN


@pytest.mark.parametrize("exchange", Exchange.values)
@pytest.mark.parametrize("kind", MEANINGS, ids=lambda kind: kind.__name__)
def test_only_an_answer_ends_an_order_that_has_left(exchange: str, kind: type[Exception]) -> None:
    is_answer = issubclass(kind, tuple(ANSWERS)) and kind not in NO_ANSWERS
    after = meaning_of(exchange, kind("text"), Phase.AFTER_SEND)

    assert (after == Meaning.UNKNOWN) == (not is_answer)
    assert meaning_of(exchange, kind("text"), Phase.BEFORE_SEND) != Meaning.UNKNOWN
    assert meaning_of(exchange, kind("text"), Phase.READ) != Meaning.UNKNOWN
    assert isinstance(translated(exchange, kind("text"), Phase.AFTER_SEND, "an order"), ExchangeError)


COINBASE_NO = (
    '{{"success":false,"failure_reason":"UNKNOWN_FAILURE_REASON","error_response":{{"error":"{}"}}}}'
)


@pytest.mark.parametrize(
    ("exchange", "error", "meaning"),
    [
        ("BINANCE", ccxt.InvalidOrder('{"code":-2010,"msg":"Duplicate order sent."}'), Meaning.UNKNOWN),
        ("BINANCE", ccxt.InvalidOrder('{"code":-1013,"msg":"Filter failure"}'), Meaning.REJECTED),
        ("BINANCE", ccxt.DDoSProtection('{"code":-2015,"msg":"Invalid API-key"}'), Meaning.KEY),
        ("BINANCE", ccxt.DDoSProtection("429 Too Many Requests"), Meaning.LIMITED),
        ("KRAKEN", ccxt.ExchangeError('{"error":["EOrder:Cost minimum not met"]}'), Meaning.REJECTED),
        ("KRAKEN", ccxt.ExchangeError('{"error":["EAPI:Invalid signature"]}'), Meaning.KEY),
        ("KRAKEN", ccxt.ExchangeError("SSLError"), Meaning.UNKNOWN),
        ("KRAKEN", ccxt.ExchangeError('{"error":["EService:Deadline elapsed"]}'), Meaning.REJECTED),
        ("KRAKEN", ccxt.ExchangeError('{"error":["EOrder:Duplicate cl_ord_id"]}'), Meaning.UNKNOWN),
        ("COINBASE", ccxt.ExchangeError('{"success":false,"error_response":{}}'), Meaning.UNKNOWN),
        ("COINBASE", ccxt.ExchangeError(COINBASE_NO.format("INSUFFICIENT_FUND", "")), Meaning.REJECTED),
        ("COINBASE", ccxt.ExchangeError(COINBASE_NO.format("UNKNOWN_FAILURE_REASON", "")), Meaning.UNKNOWN),
        (
            "COINBASE",
            ccxt.ExchangeError(COINBASE_NO.format("DUPLICATE_CLIENT_ID", "")),
            Meaning.UNKNOWN,
        ),
        (
            "COINBASE",
            ccxt.ExchangeError(
                '"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "PREVIEW_INVALID_X"'
            ),
            Meaning.REJECTED,
        ),
        ("COINBASE", KeyError("order_id"), Meaning.UNKNOWN),
        ("BINANCE", ValueError("malformed PEM"), Meaning.UNKNOWN),
    ],
)
def test_the_exchanges_words_count_where_the_class_misleads(
    exchange: str, error: Exception, meaning: Meaning
) -> None:
    assert meaning_of(exchange, error, Phase.AFTER_SEND) == meaning


@pytest.mark.parametrize(
    ("error", "phase", "ours"),
    [
        (ccxt.RequestTimeout("timed out"), Phase.READ, ExchangeUnavailable),
        (ccxt.RequestTimeout("timed out"), Phase.AFTER_SEND, OutcomeUnknown),
        (ccxt.RateLimitExceeded("slow down"), Phase.AFTER_SEND, RateLimited),
        (ccxt.PermissionDenied("no"), Phase.READ, KeyRefused),
    ],
)
def test_ours_says_what_to_do_and_keeps_secrets(
    error: Exception, phase: Phase, ours: type[ExchangeError]
) -> None:
    error.args = (f"GET https://api.binance.com/api?signature=0f0f0f0f {error.args[0]}",)

    told = translated("BINANCE", error, phase, "its balance")

    assert type(told) is ours
    assert "0f0f0f0f" not in str(told)
    assert "BINANCE" in str(told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('binance {"code":-2015,"msg":"Invalid API-key."}', "Invalid API-key. (-2015)"),
        ('binance GET https://api.binance.com/a 400 {"code":-1013,"msg":"Filter"} x', "Filter (-1013)"),
        ('kraken {"error":["EOrder:Cost minimum not met"]}', "EOrder:Cost minimum not met"),
        ('kraken {"error":["EAPI:Invalid key","EGeneral:x"],"result":{}}', "EAPI:Invalid key, EGeneral:x"),
        (
            'coinbase {"success":false,"failure_reason":"UNKNOWN_FAILURE_REASON","error_response":'
            '{"error":"INSUFFICIENT_FUND","message":"Insufficient balance in source account"}}',
            "INSUFFICIENT_FUND: Insufficient balance in source account",
        ),
        ('coinbase {"error":"NOT_FOUND","error_details":"","message":""}', "NOT_FOUND"),
        (
            'coinbase {"errors":[{"id":"expired_token","message":"The token expired"}]}',
            "expired_token: The token expired",
        ),
        (
            'coinbase {"error":"INSUFFICIENT_FUND","message":"","preview_failure_reason":'
            '"UNKNOWN_PREVIEW_FAILURE_REASON","new_order_failure_reason":"INSUFFICIENT_FUND"}',
            "INSUFFICIENT_FUND",
        ),
        (
            'coinbase {"error":"INVALID_ARGUMENT","error_details":"base_size too precise","message":""}',
            "INVALID_ARGUMENT: base_size too precise",
        ),
        ('coinbase {"error":"UNKNOWN_FAILURE_REASON","message":""}', "UNKNOWN_FAILURE_REASON"),
        ("coinbase 401 Unauthorized", ""),
        ('binance {"code":-2010,"msg":""}', ""),
        ('binance {"code":-2015,"msg":', ""),
        ('binance {"unheard":"of"}', ""),
        ('kraken {"error":[{"odd":1}]}', ""),
        ('kraken {"error":[]}', ""),
        ('coinbase {"message":{"odd":1},"error":[1]}', ""),
        ("binance " + '{"a":' * 5_000, ""),
    ],
)
def test_the_exchanges_own_words_are_found_in_ccxts(text: str, words: str) -> None:
    assert own_words(text) == words

    told = str(translated("BINANCE", ccxt.AuthenticationError(text), Phase.READ, "its balance"))
    assert told.endswith(words or f"AuthenticationError: {text}"[:TEXT_LIMIT])


def test_what_a_reply_escapes_is_hidden_and_cleaned_like_all_else() -> None:
    reply = r'kraken {"error":["EAPI:ab\/cd+ef== se\u0063ret \u0000\ud800\u202eend"]}'
    assert own_words(reply).startswith("EAPI:ab/cd+ef== secret \0")

    told = translated("KRAKEN", ccxt.AuthenticationError(reply), Phase.READ, "a", ["ab/cd+ef==", "secret"])

    assert "EAPI:[hidden] [hidden]" in str(told)
    assert str(told).isprintable()
    str(told).encode()
