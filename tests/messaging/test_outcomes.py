"""What an answer means: only what certainly did not leave may leave again (FACTS 3.2)."""

from __future__ import annotations

import smtplib
import ssl
from datetime import timedelta
from typing import Any

import pytest
import requests
from anymail import exceptions as anymail
from django.core.mail import BadHeaderError
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
)

from messaging import outcomes
from messaging.backends import BrokenAfterBody
from messaging.outcomes import Kind


def refused(code: int, text: str = "") -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({"a@b.c": (code, text.encode())})


def answered(status: int, body: str = "", **headers: str) -> Exception:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return anymail.AnymailRequestsAPIError(response=response)


def broken(kind: type[requests.RequestException], cause: object) -> Exception:
    """An exception as Anymail raises it when the request itself fails."""
    original = kind(cause)
    mixed: Any = type("AnymailRequestsAPIError", (anymail.AnymailRequestsAPIError, kind), {})
    error: Exception = mixed("Error posting")
    error.__cause__ = original
    return error


def pool(reason: Exception) -> MaxRetryError:
    return MaxRetryError(None, "/", reason)  # type: ignore[arg-type]


SMTP = [
    (ConnectionRefusedError(111, "refused"), Kind.UNAVAILABLE, False),
    (TimeoutError("timed out"), Kind.UNAVAILABLE, False),
    (OSError("Name or service not known"), Kind.UNAVAILABLE, False),
    (smtplib.SMTPServerDisconnected("before the body"), Kind.UNAVAILABLE, False),
    (smtplib.SMTPConnectError(421, b"busy"), Kind.UNAVAILABLE, False),
    (smtplib.SMTPAuthenticationError(535, b"no"), Kind.UNAVAILABLE, False),
    (ssl.SSLCertVerificationError("expired"), Kind.UNAVAILABLE, False),
    (smtplib.SMTPSenderRefused(421, b"later", "a@b.c"), Kind.UNAVAILABLE, False),
    (smtplib.SMTPSenderRefused(530, b"sign in first", "a@b.c"), Kind.UNAVAILABLE, False),
    (smtplib.SMTPSenderRefused(451, b"later", "a@b.c"), Kind.RETRY, False),
    (smtplib.SMTPSenderRefused(550, b"not you", "a@b.c"), Kind.FAILED, False),
    (refused(450, "greylisted"), Kind.RETRY, False),
    (refused(421, "closing"), Kind.UNAVAILABLE, False),
    (refused(550, "No such user"), Kind.BOUNCED, True),
    (refused(550, "5.1.1 No such user"), Kind.BOUNCED, True),
    (refused(553, "bad name"), Kind.BOUNCED, True),
    (refused(550, "5.2.1 disabled"), Kind.BOUNCED, True),
    (refused(550, "5.7.1 blocked"), Kind.BOUNCED, False),
    (refused(550, "5.7.515 not authenticated"), Kind.BOUNCED, False),
    (refused(552, "mailbox full"), Kind.BOUNCED, False),
    (refused(552, "5.2.2 mailbox full"), Kind.BOUNCED, False),
    (refused(554, "no"), Kind.BOUNCED, False),
    (smtplib.SMTPDataError(451, b"later"), Kind.RETRY, False),
    (smtplib.SMTPDataError(552, b"too big"), Kind.FAILED, False),
    (BrokenAfterBody("timed out"), Kind.UNCERTAIN, False),
    (smtplib.SMTPNotSupportedError("SMTPUTF8"), Kind.FAILED, False),
]
nobody_there = NewConnectionError(None, "refused")  # type: ignore[arg-type]
hung_up = ProtocolError("aborted", ConnectionResetError())
API = [
    (answered(400, "bad"), Kind.FAILED, False),
    (answered(401), Kind.UNAVAILABLE, False),
    (answered(403), Kind.UNAVAILABLE, False),
    (answered(422), Kind.FAILED, False),
    (answered(429), Kind.UNAVAILABLE, False),
    (answered(500), Kind.UNCERTAIN, False),
    (answered(503), Kind.UNCERTAIN, False),
    (answered(200, "<html>"), Kind.UNCERTAIN, False),
    (broken(requests.ReadTimeout, "timed out"), Kind.UNCERTAIN, False),
    (broken(requests.ConnectionError, pool(nobody_there)), Kind.UNAVAILABLE, False),
    (broken(requests.ConnectTimeout, pool(ConnectTimeoutError("slow"))), Kind.UNAVAILABLE, False),
    (broken(requests.ConnectionError, hung_up), Kind.UNCERTAIN, False),
    (anymail.AnymailRecipientsRefused(), Kind.BOUNCED, False),
    (anymail.AnymailInvalidAddress("x"), Kind.FAILED, False),
    (anymail.AnymailSerializationError(), Kind.FAILED, False),
    (anymail.AnymailUnsupportedFeature("x"), Kind.FAILED, False),
    (anymail.AnymailConfigurationError("no key"), Kind.UNAVAILABLE, False),
]  # fmt: skip
OURS = [
    (BadHeaderError("newline"), Kind.FAILED, False),
    (UnicodeEncodeError("ascii", "ä", 0, 1, "no"), Kind.FAILED, False),
    (ValueError("bad"), Kind.FAILED, False),
    (RuntimeError("who knows"), Kind.UNCERTAIN, False),
]


@pytest.mark.parametrize(
    ("error", "kind", "suppress"),
    SMTP + API + OURS,
    ids=lambda value: (
        f"{type(value).__name__}: {value}"[:60] if isinstance(value, Exception) else ""
    ),
)
def test_the_table(error: Exception, kind: Kind, suppress: bool) -> None:
    found = outcomes.of(error)
    assert (found.kind, found.suppress) == (kind, suppress)
    assert found.reason


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "17"}, timedelta(seconds=17)),
        ({"Retry_After": "99999"}, timedelta(hours=1)),
        (
            {
                "Retry_After": "Sun, 01 Mar 2026 09:01:00 GMT",
                "Date": "Sun, 01 Mar 2026 09:00:00 GMT",
            },
            timedelta(minutes=1),
        ),
        ({"Retry_After": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_provider_asks_for(headers: dict[str, str], wait: timedelta | None) -> None:
    assert outcomes.of(answered(429, **headers)).retry_after == wait


@pytest.mark.parametrize(
    ("status", "kind", "suppress"),
    [
        (None, Kind.ACCEPTED, False),
        ({"sent"}, Kind.ACCEPTED, False),
        ({"queued"}, Kind.ACCEPTED, False),
        ({"unknown"}, Kind.ACCEPTED, False),
        ({"invalid"}, Kind.BOUNCED, True),
        ({"rejected"}, Kind.BOUNCED, False),
        ({"failed"}, Kind.FAILED, False),
    ],
)
def test_what_a_provider_says_of_the_recipient(status: Any, kind: Kind, suppress: bool) -> None:
    found = outcomes.of_status(status)
    assert (found.kind, found.suppress) == (kind, suppress)


def test_what_is_kept_of_an_answer_is_short_and_holds_no_request() -> None:
    assert outcomes.of(answered(422, "x" * 5000)).detail.startswith("HTTP 422 xxx")
    assert len(outcomes.of(answered(422, "x" * 5000)).detail) == 1000
