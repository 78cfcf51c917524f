"""What each of ccxt's exceptions means for us: on a read, on an order that did not leave, on one that did.

Only an answer that says no is a no. An order that may have arrived is UNKNOWN until somebody has looked it up
(promise I4): whatever has no row here, and whatever is not ccxt's, counts as that.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import ccxt

from exchanges.errors import (
    ExchangeError,
    ExchangeUnavailable,
    KeyRefused,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    UnknownMarket,
)
from exchanges.scrubbing import scrub

# What a call through ccxt raises: ccxt's own, and what comes of taking an unexpected answer apart.
BROKEN = (ccxt.BaseError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
TEXT_LIMIT = 300  # characters of an exchange's error that a message repeats
DEFAULT_PAUSE_SECONDS = 30.0  # when an exchange tells us to stop, but not for how long


class Meaning(StrEnum):
    """What to do next; each is one of our exceptions."""

    LATER = "later"  # nothing was done; the same again may work
    LIMITED = "limited"  # nothing was done; we ask too much
    KEY = "key"  # nothing was done; the key is no longer good for this
    MARKET = "market"  # nothing was done; the exchange does not list it
    REJECTED = "rejected"  # nothing was done, and would not be the next time
    UNKNOWN = "unknown"  # it may have been done


class Phase(StrEnum):
    """How far the call had come: a read changes nothing, an order was or was not handed to the network."""

    READ = "read"
    BEFORE_SEND = "before send"
    AFTER_SEND = "after send"


@dataclass(frozen=True, slots=True)
class Row:
    read: Meaning
    before_send: Meaning
    after_send: Meaning

    def of(self, phase: Phase) -> Meaning:
        return {
            Phase.READ: self.read,
            Phase.BEFORE_SEND: self.before_send,
            Phase.AFTER_SEND: self.after_send,
        }[phase]


def _refusal(meaning: Meaning = Meaning.REJECTED) -> Row:
    """The exchange's own no, or ccxt's before it asked: final, whenever it comes."""
    return Row(meaning, meaning, meaning)


def _doubt(meaning: Meaning = Meaning.LATER) -> Row:
    """No usable answer: harmless before the order left, and nobody can tell afterwards."""
    return Row(meaning, meaning, Meaning.UNKNOWN)


MEANINGS: dict[type[Exception], Row] = {
    # Without a class of its own: often a no, but SSL failures and unreadable envelopes come as this too.
    ccxt.BaseError: _doubt(Meaning.REJECTED),
    ccxt.ExchangeError: _doubt(Meaning.REJECTED),
    ccxt.AuthenticationError: _refusal(Meaning.KEY),
    ccxt.PermissionDenied: _refusal(Meaning.KEY),
    ccxt.AccountNotEnabled: _refusal(Meaning.KEY),
    ccxt.AccountSuspended: _refusal(Meaning.KEY),
    # Both are ccxt's own before it sends. Afterwards they would come from taking the answer apart.
    ccxt.ArgumentsRequired: _doubt(Meaning.REJECTED),
    ccxt.NotSupported: _doubt(Meaning.REJECTED),
    ccxt.BadRequest: _refusal(),
    ccxt.BadSymbol: _refusal(Meaning.MARKET),
    ccxt.OperationRejected: _refusal(),
    ccxt.NoChange: _refusal(),
    ccxt.MarginModeAlreadySet: _refusal(),
    ccxt.MarketClosed: _refusal(),
    ccxt.ManualInteractionNeeded: _refusal(),
    ccxt.RestrictedLocation: _refusal(),
    ccxt.InsufficientFunds: _refusal(),
    ccxt.InvalidAddress: _refusal(),
    ccxt.AddressPending: _refusal(),
    ccxt.InvalidOrder: _refusal(),
    ccxt.OrderImmediatelyFillable: _refusal(),
    ccxt.OrderNotFillable: _refusal(),
    ccxt.ContractUnavailable: _refusal(),
    # There is one with our id, or there is none: about creating an order neither says what became of it.
    ccxt.DuplicateOrderId: _doubt(Meaning.REJECTED),
    ccxt.OrderNotFound: _doubt(Meaning.REJECTED),
    ccxt.OrderNotCached: _doubt(Meaning.REJECTED),
    ccxt.InvalidProxySettings: _doubt(Meaning.REJECTED),
    ccxt.ExchangeClosedByUser: _doubt(),
    ccxt.OperationFailed: _doubt(),
    ccxt.NetworkError: _doubt(),
    ccxt.DDoSProtection: _refusal(Meaning.LIMITED),
    ccxt.RateLimitExceeded: _refusal(Meaning.LIMITED),
    ccxt.ExchangeNotAvailable: _doubt(),
    ccxt.OnMaintenance: _doubt(),
    ccxt.InvalidNonce: _refusal(Meaning.LATER),
    ccxt.ChecksumError: _doubt(),
    ccxt.RequestTimeout: _doubt(),
    ccxt.BadResponse: _doubt(),
    ccxt.NullResponse: _doubt(),
    ccxt.CancelPending: _doubt(),
    ccxt.UnsubscribeError: _doubt(),
}

# Kraken's and Coinbase's own words for a no, of which ccxt has no class. What is not among them may be
# anything, an order of that id that is at work among it.
_KRAKENS_NO = (
    r"EOrder:(Cannot|Cost minimum|Insufficient|Invalid|Margin|Order minimum|Orders limit|Positions limit"
    r"|Post only|Reduce only|Scheduled orders limit|Tick size|Trading agreement|Trigger price"
    r"|Unknown position)|EService:Deadline elapsed"
)
_COINBASES_KEYS = (
    "error",
    "preview_failure_reason",
    "new_order_failure_reason",
    "message",
    "error_details",
    "error_description",
)
_COINBASES_NO = (
    r'"(error|preview_failure_reason|new_order_failure_reason)"\s*:\s*'
    r'"(PREVIEW_(?!UNKNOWN)|INVALID_|UNSUPPORTED_|INSUFFICIENT_|INELIGIBLE_|ORDER_ENTRY_DISABLED)'
)

# Where the class alone misleads: what the exchange's own words then mean.
WORDS: dict[tuple[str, type[Exception]], dict[str, Row]] = {
    # The first order of that id may be at work.
    ("BINANCE", ccxt.InvalidOrder): {"Duplicate order sent": _doubt(Meaning.REJECTED)},
    # Key, address or rights; ccxt takes it for a ban once a call of the client has succeeded.
    ("BINANCE", ccxt.DDoSProtection): {"-2015": _refusal(Meaning.KEY)},
    # The secret is not the key's: ccxt has no class for that.
    ("KRAKEN", ccxt.ExchangeError): {
        "EAPI:Invalid signature": _refusal(Meaning.KEY),
        _KRAKENS_NO: _refusal(),
    },
    ("COINBASE", ccxt.ExchangeError): {_COINBASES_NO: _refusal()},
}


def meaning_of(exchange: str, error: Exception, phase: Phase) -> Meaning:
    """Return what the error means. What ccxt did not raise came from taking an answer apart."""
    kind = type(error)
    for words, row in WORDS.get((exchange, kind), {}).items():
        if re.search(words, str(error)):
            return row.of(phase)
    return MEANINGS.get(kind, _doubt()).of(phase)


def own_words(text: str) -> str:
    """Return what the exchange itself said within ccxt's text, with its code; nothing if that is unclear."""
    try:
        body, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    except (ValueError, RecursionError):
        return ""
    match body:
        case {"code": int(code), "msg": str(words)} if words:  # Binance
            return f"{words} ({code})"
        case {"error": [*_] as errors} if all(isinstance(each, str) for each in errors):  # Kraken
            return ", ".join(errors)
        case {"errors": [{"message": str(words)} as answer, *_]}:  # Coinbase, about its own accounts
            return f"{name}: {words}" if isinstance(name := answer.get("id"), str) else words
        case {"error_response": {} as answer} | ({} as answer):  # Coinbase, of an order or in general
            return _coinbases_words(answer)
    return ""


def _coinbases_words(answer: dict[str, Any]) -> str:
    """What it explains, and the names that it gives to the error; not those that say it is unknown."""
    said = [answer[key] for key in _COINBASES_KEYS if isinstance(answer.get(key), str) and answer[key]]
    told = [each for each in dict.fromkeys(said) if not each.startswith("UNKNOWN")] or said[:1]
    return ": ".join(told)


def translated(
    exchange: str, error: Exception, phase: Phase, what: str, secrets: Iterable[str] = ()
) -> ExchangeError:
    """Return our exception for what ccxt raised when the exchange was asked for `what`.

    Its message holds none of the `secrets`, even if the exchange repeated them.
    """
    words = own_words(str(error)) or f"{type(error).__name__}: {error}"
    said = scrub(words, secrets)[:TEXT_LIMIT]  # last, since what a reply writes with escapes would pass it
    match meaning_of(exchange, error, phase):
        case Meaning.LATER:
            return ExchangeUnavailable(
                f"{exchange} did not answer usably when asked for {what}; try again later. {said}"
            )
        case Meaning.LIMITED:
            message = f"{exchange} told us to wait when asked for {what}; try again later. {said}"
            return RateLimited(message, DEFAULT_PAUSE_SECONDS)
        case Meaning.KEY:
            return KeyRefused(f"{exchange} does not accept this key for {what}; check its rights. {said}")
        case Meaning.MARKET if phase == Phase.READ:
            return UnknownMarket(f"{exchange} refused {what}: {said}")
        case Meaning.REJECTED if phase == Phase.READ:
            return ExchangeError(f"{exchange} refused {what}: {said}")
        case Meaning.REJECTED | Meaning.MARKET:
            return OrderRejected(f"{exchange} refused {what}: {said}")
        case Meaning.UNKNOWN:
            return OutcomeUnknown(f"Nobody can tell whether {exchange} took {what}; look it up. {said}")
