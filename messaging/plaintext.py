"""A mail's HTML as a text that is pleasant to read."""

from __future__ import annotations

import re
import textwrap
from html import unescape


def _words(text: str) -> list[str]:
    return text.split()


_BLOCKS = frozenset(
    _words(
        "address article aside blockquote dd div dl dt fieldset figcaption figure footer form h1"
        " h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody tfoot thead tr ul"
    )
)
_SPACED = frozenset(_words("blockquote dl figure h1 h2 h3 h4 h5 h6 hr ol p pre table ul"))
_UNSEEN = frozenset(_words("head noscript script style template title"))
_VOID = frozenset(_words("area base br col embed hr img input link meta source track wbr"))
_WIDTH = 78

# Every alternative is possessive, so that a mail with ten thousand open tags takes no time either.
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[a-zA-Z][^\s/<>]*+)(?P<attributes>(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+)>"
)
_ATTRIBUTE = re.compile(
    r"""([a-zA-Z][\w:-]*+)(?:\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'>]++)))?+"""
)


def from_html(html: str) -> str:
    """The text of an HTML mail: links with their address, lists with their marks, no layout."""
    reader = _Reader()
    html = _without_comments(html)
    position = 0
    for tag in _TAG.finditer(html):
        reader.data(html[position : tag.start()])
        position = tag.end()
        if tag["close"]:
            reader.end(tag["name"].lower())
        else:
            reader.start(tag["name"].lower(), _attributes(tag["attributes"]))
    reader.data(html[position:])
    return reader.text()


def _without_comments(html: str) -> str:
    """The HTML without comments, and so without what only Outlook sees, and without doctype."""
    first, *rest = html.split("<!--")
    seen = first + "".join(part.partition("-->")[2] for part in rest)
    return re.sub(r"<![^<>]*+>", "", seen)


def _attributes(source: str) -> dict[str, str]:
    return {
        match[1].lower(): unescape(match[2] or match[3] or match[4] or "")
        for match in _ATTRIBUTE.finditer(source)
    }


class _Reader:
    """Gathers lines while the HTML goes by."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""
        self.unseen: list[str] = []
        self.lists: list[int | None] = []
        self.link: tuple[str, int] | None = None
        self.preformatted = 0

    def start(self, tag: str, values: dict[str, str]) -> None:
        """A tag opens."""
        if self.unseen:
            if tag == self.unseen[-1]:
                self.unseen.append(tag)
            return
        if tag in _UNSEEN or _is_hidden(values):
            if tag not in _VOID:
                self.unseen.append(tag)
            return
        if tag in _BLOCKS:
            self._break(blank=tag in _SPACED and not self.lists)
        if tag == "pre":
            self.preformatted += 1
        elif tag == "br":
            self._break(blank=False)
        elif tag == "hr":
            self.lines += ["-" * 40, ""]
        elif tag in ("ul", "ol"):
            self.lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag in ("td", "th") and self.line.strip():
            self.line += " "
        elif tag == "img" and (alternative := values.get("alt", "").strip()):
            self._add(alternative)
        elif tag == "a" and (target := values.get("href", "").strip()):
            self.link = target, len(self.line)

    def end(self, tag: str) -> None:
        """A tag closes."""
        if self.unseen:
            if tag == self.unseen[-1]:
                self.unseen.pop()
            return
        if tag == "a" and self.link:
            self._end_link()
        if tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        if tag == "pre":
            self.preformatted = max(0, self.preformatted - 1)
        if tag in _BLOCKS:
            self._break(blank=tag in _SPACED and not self.lists)

    def data(self, data: str) -> None:
        """Some text between tags."""
        if data and not self.unseen:
            self._add(unescape(data))

    def _add(self, data: str) -> None:
        if self.preformatted:
            first, *rest = data.split("\n")
            self.line += first
            for line in rest:
                self.lines.append(self.line)
                self.line = line
            return
        data = re.sub(r"[\s\u00a0\u200b\u200c\ufeff\u034f\u00ad]+", " ", data)
        self.line += data.lstrip() if self.line.endswith(" ") or not self.line else data

    def _item(self) -> None:
        depth = "  " * max(0, len(self.lists) - 1)
        if self.lists and self.lists[-1] is not None:
            self.lists[-1] += 1
            self.line = f"{depth}{self.lists[-1]}. "
        else:
            self.line = f"{depth}- "

    def _end_link(self) -> None:
        assert self.link
        target, start = self.link
        self.link = None
        shown = self.line[start:].strip()
        address = target.removeprefix("mailto:")
        if target.startswith("#") or shown.rstrip("/") == address.rstrip("/"):
            return
        self.line = f"{self.line.rstrip()} ({address})" if shown else f"{self.line}{address}"

    def _break(self, *, blank: bool) -> None:
        if self.link and self.line[self.link[1] :].strip():
            self._end_link()
        self.link = (self.link[0], 0) if self.link else None
        if self.line.strip():
            self.lines.append(self.line.rstrip())
        self.line = ""
        if blank and self.lines and self.lines[-1]:
            self.lines.append("")

    def text(self) -> str:
        """All that was gathered."""
        self._break(blank=False)
        wrapped = "\n".join(_wrap(line) for line in self.lines)
        return re.sub(r"\n{3,}", "\n\n", wrapped).strip("\n") + "\n"


def _is_hidden(values: dict[str, str]) -> bool:
    style = values.get("style", "").replace(" ", "").lower()
    return "display:none" in style or "hidden" in values


def _wrap(line: str) -> str:
    if len(line) <= _WIDTH:
        return line
    mark = re.match(r"\s*(?:- |\d+\. )?", line)
    return textwrap.fill(
        line,
        _WIDTH,
        subsequent_indent=" " * (mark.end() if mark else 0),
        break_long_words=False,
        break_on_hyphens=False,
    )
