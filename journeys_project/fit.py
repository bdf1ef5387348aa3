"""Requests with text that no database keeps are refused whole, before anybody looks at them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError

from contacts.items import UNFIT

#: Where people work. The API judges each item by itself, and whoever unsubscribes is never refused.
INSIDE = ("/admin/", "/conditions/")


class FitText:
    """Answers 400 where a query, a form or JSON holds a NUL or half of a character."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> None:
        """Raises ``BadRequest``."""
        if not request.path.startswith(INSIDE):
            return
        if _unfit(request.GET) or (request.method == "POST" and _sent_unfit(request)):
            raise BadRequest("It holds a character that no text may have.")


def _unfit(values: QueryDict) -> bool:
    return any(UNFIT.search(text) for name, texts in values.lists() for text in (name, *texts))


def _sent_unfit(request: HttpRequest) -> bool:
    if request.content_type != "application/json":
        return _unfit(request.POST)
    try:
        # Only what is written as an escape can be unfit: raw, it is no JSON or no UTF-8.
        sent = json.loads(request.body) if b"\\u" in request.body else None
    except (ValueError, RecursionError, UnreadablePostError):
        return False  # the view says what is wrong with it
    return any(UNFIT.search(text) for text in _texts(sent))


def _texts(value: Any) -> Iterator[str]:
    """All texts of a JSON value, names among them."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            left += [*one.keys(), *one.values()]
