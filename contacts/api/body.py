"""From the bytes of a request to JSON, within limits and whatever the headers claim.

What only one item of a batch has wrong (bytes that are no UTF-8, a number without end, brackets
without end) comes out as a value that ``contacts.items`` rejects, so that the others are stored.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from contacts.api.replies import Failure
from contacts.items import MAX_INTEGER

#: What a call may hold, and beyond which nothing is read at all; bytes.
MAX_CALL = 32 * 1024
MAX_BATCH = 500 * 1024
MAX_REQUEST = 1024 * 1024
GZIP = b"\x1f\x8b"
ENCODINGS = ("", "identity", "gzip", "x-gzip")
#: In place of an item that is not even looked at: its type says why, as no real one can.
TOO_DEEP, TOO_LARGE = "\0too deep", "\0too large"
UNFIT = {
    TOO_DEEP: ("too_deep", "The item is nested too deep."),
    TOO_LARGE: ("too_large", f"The item holds more than {MAX_CALL:,} bytes."),
}


def read(request: HttpRequest, limit: int) -> dict[str, Any]:
    """The object in the body of a request. Raises ``Failure``."""
    return parse(raw(request, limit))


def raw(request: HttpRequest, limit: int) -> bytes:
    """The bytes of the body, unpacked."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not re.fullmatch("[0-9]{1,15}", length):
        raise Failure(411, "length_required", "The request has no Content-Length.")
    if int(length) > MAX_REQUEST:
        raise Failure(413, "too_large", f"The body is larger than {MAX_REQUEST:,} bytes.")
    try:
        body = request.body
    except UnreadablePostError:
        raise Failure(400, "incomplete", "The body ended early.") from None
    if len(body) < int(length):
        raise Failure(400, "incomplete", "The body ended early.")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise Failure(
            415, "unknown_encoding", "The body may be packed with gzip, and with nothing else."
        )
    if body.startswith(GZIP) or encoding in ("gzip", "x-gzip"):
        body = gunzip(body, limit)
    if len(body) > limit:
        raise Failure(400, "too_large", f"The body holds more than {limit:,} bytes.")
    return body


def gunzip(body: bytes, limit: int) -> bytes:
    """Unpack, but never more than one byte beyond ``limit``."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise Failure(400, "invalid_gzip", "The body is not valid gzip.") from None
    if len(unpacked) <= limit and not unpacker.eof:
        raise Failure(400, "invalid_gzip", "The gzip of the body is cut off.")
    if unpacker.unused_data.strip(b"\0"):
        raise Failure(400, "invalid_gzip", "Something follows the end of the gzip in the body.")
    return unpacked


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object that the bytes are."""
    text = body.decode("utf-8-sig", errors="surrogateescape")
    try:
        data = load(text)
    except RecursionError:
        data = piecewise(text)
    except ValueError as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Failure(400, "invalid_json", f"The body is not valid JSON{place}.") from None
    if not isinstance(data, dict):
        raise Failure(400, "invalid_json", "The body must be a JSON object.")
    return data


def load(text: str) -> Any:
    """As ``json.loads``; a whole number too long to be one becomes one that is rejected."""
    return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= 20 else MAX_INTEGER + 1


def unfit(item: Any) -> str | None:
    """Why an item of a batch is not looked at: it is larger than a call may be, or nested too deep
    to be measured; else None. Its size is that of its shortest JSON in UTF-8.
    """
    try:
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return TOO_DEEP
    return TOO_LARGE if len(text.encode(errors="replace")) > MAX_CALL else None


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def piecewise(text: str) -> dict[str, Any]:
    """A batch of which some item is nested too deep to be parsed: that item is marked."""
    start, end, pieces = _cut(text)
    try:
        data = load(f"{text[:start]}{text[end:]}")
        items = [_piece(piece) for piece in pieces]
    except (ValueError, RecursionError):
        raise Failure(400, "too_deep", "The body is nested too deep.") from None
    return {**data, "batch": items} if isinstance(data, dict) else {}


def _piece(text: str) -> Any:
    try:
        return load(text)
    except RecursionError:
        return {"type": TOO_DEEP}


def _cut(text: str) -> tuple[int, int, list[str]]:
    """Where the list of the batch begins and ends in a text, and the objects in it."""
    depth = begin = opened = 0
    name = ""
    pieces: list[str] = []
    for match in _TOKEN.finditer(text):
        mark = match.group()
        if mark in ("[", "{"):
            if depth == 1 and name == '"batch"' and not opened:
                opened = match.end()
            elif depth == 2 and opened:
                begin = match.start()
            depth += 1
        elif mark in ("]", "}"):
            depth -= 1
            if depth == 1 and opened:
                return opened, match.start(), pieces
            if depth == 2 and opened:
                pieces.append(text[begin : match.end()])
        elif depth == 1:
            name = mark
    return 0, 0, []
