"""Check a bot's code against the static policy, without running it: parsing hostile text can go wrong too."""

import json
from dataclasses import astuple

from bot_sdk import code_policy


def answer(code: bytes) -> bytes:
    """Return the findings as one line."""
    return (
        json.dumps({"findings": [astuple(finding) for finding in code_policy.check(code)]}).encode() + b"\n"
    )
