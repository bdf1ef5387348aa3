"""The HTTP face of this room: a native API, and one module for each protocol spoken."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from contacts.api import entering, segment
from contacts.api.replies import Failure, refuse
from contacts.identity import Moved

DESCRIPTION = """\
Tell Journeys who people are and what they did. The calls are those of Segment's HTTP tracking API,
so any Segment client works: give it this address as its host and an API key as its write key.

- `identify` says who somebody is: their attributes, address and time zone.
- `track` says what somebody did: an event, with its properties.
- `batch` takes many of all kinds at once, and keeps their order.

One call is our own: `enter` asks somebody into a journey that starts by hand.

**Keys.** Make one in the admin under *API keys*. Send it as the user name of basic authentication
(with an empty password), as a bearer token, or as `writeKey` in the body.

**Answers.** What was answered with 200 is stored. `rejected` lists what could not be, by its place
in the batch; everything else in the batch is stored all the same. A `messageId` that is known
already changes nothing, so a call can be repeated safely. 5xx and 429 ask to be repeated.
"""

api = NinjaAPI(
    title="Journeys API",
    version="1",
    description=DESCRIPTION,
    docs_url="/docs",
    openapi_url="/openapi.json",
    urls_namespace="api",
    openapi_extra={
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "Key as user name."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "Key as token."},
            }
        }
    },
)
api.add_router("/v1", segment.router, tags=["Events and people"])
api.add_router("/v1", entering.router, tags=["Journeys"])


@api.exception_handler(Failure)
def failure(request: HttpRequest, error: Failure) -> HttpResponse:
    """Say what was wrong with a call."""
    return refuse(error)


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def database_is_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """Our own failure is never answered with 4xx, on which clients throw a batch away."""
    return refuse(Failure(503, "unavailable", "The database does not answer. Try again."))


@api.exception_handler(Moved)
def in_the_way(request: HttpRequest, error: Moved) -> HttpResponse:
    """Others changed the same people again and again while this call was worked."""
    message = "Other calls are changing the same people. Nothing of this one is stored. Try again."
    return refuse(Failure(503, "busy", message))
