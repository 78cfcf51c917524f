"""The inputs of a decision, as hashes: who has the same may share a run, and anyone can run it again."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bot_sdk.process.job import Job
from bot_sdk.process.job_file import bytes_of
from execution.sandbox import runtime


@dataclass(frozen=True)
class Receipt:
    """What a decision depends on, beside what the bot asked and was told, each as sha256 in hexadecimal.

    `models` maps "KIND/name" to the file's hash. `configuration` covers the parameters, the subscription's
    settings and the timeframe; `window` is the encoded frame. `runtime` stands for interpreter, libraries and
    SDK. In words, "" and {} where they were not kept yet: `runtime_name` has the versions that matter most,
    `candles` what the window holds, as `MarketView` has it.
    """

    code: str
    models: Mapping[str, str]
    configuration: str
    window: str
    runtime: str
    runtime_name: str = ""
    candles: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def digest(self) -> str:
        """One hash over all of them."""
        return sha256_of(_canonical(asdict(self)))


def receipt_of(job: Job, candles: Mapping[str, Any]) -> Receipt:
    """Return the receipt for the job's inputs; `candles` says what its frame holds."""
    return Receipt(
        code=_sha256_of_common(bytes_of(job.code)),
        models={f"{model.kind}/{model.filename}": sha256_of(model.content) for model in job.models},
        configuration=sha256_of(_canonical(job.task)),
        window=_sha256_of_common(job.frame),
        runtime=runtime.fingerprint(),
        runtime_name=runtime.name(),
        candles=candles,
    )


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@functools.lru_cache(maxsize=8)
def _sha256_of_common(content: bytes) -> str:
    """The same, for what many jobs in a row have in common."""
    return sha256_of(content)


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
