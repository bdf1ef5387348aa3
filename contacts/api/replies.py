"""What the API answers."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from ninja import Field, Schema

#: Seconds after which a client should try again when we are at fault.
RETRY_AFTER = 5


class Rejected(Schema):
    """One item that could not be stored."""

    index: int = Field(description="Its place in the batch, from 0.")
    code: str = Field(description="For programs.", examples=["too_long"])
    message: str = Field(
        description="For people.", examples=["“name” has more than 100 characters."]
    )


class Received(Schema):
    """What became of a call."""

    success: bool = True
    accepted: int = Field(description="How many were stored.")
    duplicate: int = Field(description="How many had a messageId that is known.")
    rejected: list[Rejected] = []


class Refusal(Schema):
    """Why a whole call was refused."""

    success: bool = False
    code: str
    message: str


class Failure(Exception):
    """A call that is refused as a whole, with its HTTP status.

    ``retry_after``: seconds after which a 429 or 503 should be tried again.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int = RETRY_AFTER
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.message = message


def refuse(failure: Failure) -> HttpResponse:
    """The answer to a call that is refused as a whole."""
    response = JsonResponse(
        Refusal(code=failure.code, message=failure.message).model_dump(), status=failure.status
    )
    if failure.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="Journeys API", charset="UTF-8"'
    if failure.status in (429, 503):
        response["Retry-After"] = str(failure.retry_after)
    return response
