"""Requests with text that no database keeps are refused whole, before anybody looks at them, and
those with numbers that it does not keep where they come to be looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError

from contacts.items import UNFIT

#: Where people work. The API judges each item by itself, and whoever unsubscribes is never refused.
INSIDE = ("/admin/", "/conditions/")
#: Where Django's own admin looks for the numbers of an address or a form as they were sent.
ADMIN = "/admin/"
#: What is said by whom a number goes to that is none, or that is too large.
_NO_NUMBER = re.compile(
    r"Field '\w+' expected a number but got .*"
    r"|Python int too large to convert to (SQLite INTEGER|C int|C long)"
    r"|signed integer is (greater than maximum|less than minimum)"
    r"|year -?\d+ is out of range",
    re.DOTALL,
)
#: PostgreSQL's number for one out of range.
_OUT_OF_RANGE = "22003"


class FitText:
    """Answers 400 where a query, a form or JSON holds a NUL or half of a character, and where the
    admin was sent a number that is none or that no database keeps.
    """

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

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raises ``BadRequest`` for what was sent; all else is an error of ours, and stays one."""
        if request.path.startswith(ADMIN) and _is_of_a_number(exception):
            raise BadRequest("It holds a number that is none or too large.") from exception


def _is_of_a_number(exception: Exception) -> bool:
    if isinstance(exception, DataError):
        return getattr(exception.__cause__, "sqlstate", "") == _OUT_OF_RANGE
    if isinstance(exception, OverflowError | ValueError):
        return _NO_NUMBER.fullmatch(str(exception)) is not None
    return False


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
