import pytest

from exchanges.scrubbing import scrub


@pytest.mark.parametrize(
    "text",
    [
        "GET https://api.binance.com/api/v3/account?timestamp=1&signature=c4n4ry&recvWindow=5",
        "{'X-MBX-APIKEY': 'c4n4ry', 'Content-Type': 'x'}",
        "{'API-Key': 'c4n4ry', 'API-Sign': b'c4n4ry=='}",
        """{"apiKey": "c4n4ry", "secret": "c4n4ry+/="}""",
        "Authorization: Bearer c4n4ry.c4n4ry.c4n4ry",
        "secret -----BEGIN EC PRIVATE KEY-----\nc4n4ry\n-----END EC PRIVATE KEY----- end",
        "cut -----BEGIN PRIVATE KEY-----\nc4n4ry",
    ],
)
def test_what_is_secret_goes_and_the_rest_stays(text: str) -> None:
    told = scrub(text)

    assert "c4n4ry" not in told
    assert "[hidden]" in told
    assert told.split()[0][:3] == text.split(maxsplit=1)[0][:3]
