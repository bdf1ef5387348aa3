"""MJML and Markdown to HTML, once for each change of a template and not for each message.

Liquid is not the business of either compiler, and they would tear it apart. So each piece of it is
taken out before, stands meanwhile as a word that means nothing, and is put back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import markdown
import mjml

LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# A word that stands for the n-th piece: of an output (o), a loop's start (f) or end (e), or another
# tag (t).
_PLACEHOLDER = re.compile(r"LQ([0-9]+)[ofet]QL")
_LAYOUT = Path(__file__).parent / "templates" / "messaging" / "mail_layout.html"

#: Elements of MJML that hold text or HTML; between all others only elements may stand.
_HOLDS_TEXT = frozenset(
    f"mj-{name}"
    for name in (
        *("text", "button", "raw", "table", "title", "preview", "style", "navbar-link"),
        *("social-element", "accordion-title", "accordion-text"),
    )
)
_MJML_TOKEN = re.compile(
    r"<!--.*?-->"
    r"|<(?P<close>/?)(?P<name>[a-zA-Z][\w-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(?P<empty>/?)>"
    r"|LQ[0-9]+[ofet]QL",
    re.DOTALL,
)


class CompileError(ValueError):
    """MJML that can't be compiled; the message is a sentence for its author."""


def from_mjml(source: str) -> str:
    """The HTML, still with its Liquid, of a mail written in MJML. Raises `CompileError`."""
    return _around_liquid(source, _compile_mjml)


def from_markdown(source: str) -> str:
    """The HTML, still with its Liquid, of a mail written in Markdown, in the house's layout."""
    body = _around_liquid(source, _compile_markdown)
    return _LAYOUT.read_text(encoding="utf-8").replace("<!-- content -->", body)


def _around_liquid(source: str, compile_: Callable[[str], str]) -> str:
    pieces: list[str] = []

    def take(match: re.Match[str]) -> str:
        pieces.append(match[0])
        return f"LQ{len(pieces) - 1}{_sort(match[0])}QL"

    def put_back(match: re.Match[str]) -> str:
        index = int(match[1])
        return pieces[index] if index < len(pieces) else match[0]

    return _PLACEHOLDER.sub(put_back, compile_(LIQUID.sub(take, source)))


def _sort(piece: str) -> str:
    if piece.startswith("{{"):
        return "o"
    found = re.match(r"\{%-?\s*(for|endfor)\b", piece)
    return {"for": "f", "endfor": "e"}[found[1]] if found else "t"


def _compile_mjml(source: str) -> str:
    try:
        html = mjml.mjml2html(_wrap_between_elements(source))
    except Exception as error:  # the compiler raises ValueError for most, but promises nothing
        raise CompileError(_mjml_sentence(str(error), source)) from error
    if "<mj-body" not in source:
        raise CompileError("The MJML has no <mj-body>.")
    if unknown := re.search(r"<(mj-[\w-]+)", html):
        raise CompileError(f"MJML has no element <{unknown[1]}>, or it may not stand there.")
    return html


def _wrap_between_elements(source: str) -> str:
    """Put Liquid that stands between MJML's elements into ``mj-raw``, which is copied as it is."""
    inside: list[str] = []

    def visit(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            bare = not match[0].startswith("<!--") and not any(el in _HOLDS_TEXT for el in inside)
            return f"<mj-raw>{match[0]}</mj-raw>" if bare else match[0]
        if match["close"]:
            if name in inside:
                while inside.pop() != name:
                    pass
        elif not match["empty"] and name.startswith("mj"):
            inside.append(name)
        return match[0]

    return _MJML_TOKEN.sub(visit, source)


def _mjml_sentence(error: str, source: str) -> str:
    """What the compiler complained about, in words; where tags don't match, the line of the tag."""
    if "<mjml" not in source:
        return "MJML begins with <mjml> and ends with </mjml>."
    if problem := _unbalanced(source):
        return problem
    if "unexpected element" in error or "unable to find" in error:
        return f"The MJML can't be compiled: {error}."
    return (
        f"The MJML can't be compiled ({error}). Look for a “&” or “<” that should be written "
        "“&amp;” or “&lt;”."
    )


def _unbalanced(source: str) -> str | None:
    inside: list[tuple[str, int]] = []
    for match in _MJML_TOKEN.finditer(source):
        name = match["name"]
        if name is None or match["empty"] or not name.startswith("mj"):
            continue
        line = source.count("\n", 0, match.start()) + 1
        if not match["close"]:
            inside.append((name, line))
        elif not inside or inside[-1][0] != name:
            return f"Line {line}: </{name}> closes nothing that is open there."
        else:
            inside.pop()
    if inside:
        name, line = inside[-1]
        return f"Line {line}: <{name}> is not closed."
    return None


_TAG_LINE = re.compile(r"^[ \t]*(LQ[0-9]+[fet]QL)[ \t]*$", re.MULTILINE)
_LOOPED_LIST = re.compile(
    r"(LQ[0-9]+fQL)\s*<(ul|ol)>((?:(?!</?[uo]l>|LQ[0-9]+[fe]QL).)*)</\2>\s*(LQ[0-9]+eQL)", re.DOTALL
)


def _compile_markdown(source: str) -> str:
    """Markdown, in which a line that is only a Liquid tag belongs to no paragraph, and a list that
    a loop fills is one list.
    """
    html = markdown.markdown(
        _TAG_LINE.sub(r"\n\1\n", source),
        extensions=["extra", "sane_lists", "smarty"],
        output_format="html",
    )
    html = re.sub(r"<p>(LQ[0-9]+[fet]QL)</p>", r"\1", html)
    return _LOOPED_LIST.sub(r"<\2>\1\3\4</\2>", html)
