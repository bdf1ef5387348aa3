"""Liquid without its dangers: what a template may use, and how much of it.

Names and addresses come from outside, and templates from people who are not programmers. So nothing
but plain dictionaries, lists, texts and numbers is ever handed in, no file can be read, every value
is escaped in HTML, and a template that would run or grow without end is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any

from liquid import BoundTemplate, Environment, Markup
from liquid.builtin.filters.misc import date as liquid_date
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.filter import with_context
from liquid.token import Token

#: Longest source, in bytes of UTF-8.
MAX_SOURCE = 256 * 1024
#: Largest outcome of a template, in bytes, and of its variables together.
MAX_OUTPUT = 1024 * 1024
MAX_LOCALS = 512 * 1024
MAX_LOOPS = 10_000
#: Longest text, and most items of a list, that a filter takes or gives.
MAX_TEXT = 200_000
MAX_ITEMS = 5_000
MAX_NUMBER = 10**30
#: What one rendering may spend. A looked-up name costs 1, a filter the hundredth part of what it
#: reads, and a loop what its body could hold. It bounds the time a template takes to seconds.
MAX_WORK = 2_000_000

#: What reads a file, and what switches escaping off.
FORBIDDEN_TAGS = ("include", "render")
FORBIDDEN_FILTERS = ("safe",)


class TemplateError(Exception):
    """A template can't be parsed or rendered; ``line`` counts from 1 where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

    def __str__(self) -> str:
        return self.message if self.line is None else f"Line {self.line}: {self.message}"


class Context(RenderContext):
    """A rendering that counts its work."""

    __slots__ = ("work",)

    def __init__(self, template: BoundTemplate, **kwargs: Any) -> None:
        super().__init__(template, **kwargs)
        self.work = 0

    def spend(self, amount: int) -> None:
        """Count some work, and stop the rendering when it is too much."""
        self.work += amount
        if self.work > MAX_WORK:
            raise ResourceLimitError("the template does too much work", token=None)

    def get(self, path: list[object], **kwargs: Any) -> object:
        """Look a name up."""
        self.spend(1)
        return super().get(path, **kwargs)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """The filter of that name, within the limits of sizes."""
        function = super().filter(name, token)

        @wraps(function)
        def limited(*args: Any, **kwargs: Any) -> object:
            self.spend(1 + sum(_measure(value) for value in args) // 100)
            _check_growth(name, args)
            result = function(*args, **kwargs)
            _measure(result)
            return result

        return limited

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Count what a loop of this length may do."""
        super().raise_for_loop_limit(length)
        self.spend(length * (1 + getattr(self.template, "source_size", 0) // 50))


def _measure(value: object) -> int:
    """The size of a value; one that is too large for a filter stops the rendering."""
    if isinstance(value, str):
        size, most = len(value), MAX_TEXT
    elif isinstance(value, list | tuple | range):
        size, most = len(value), MAX_ITEMS
    elif isinstance(value, int):
        size, most = (0 if abs(value) < MAX_NUMBER else 2), 1
    else:
        return 1
    if size > most:
        raise ResourceLimitError("a value grew too large", token=None)
    return size


def _check_growth(name: str, args: tuple[Any, ...]) -> None:
    """Stop what would be large before it is made."""
    if name in ("replace", "replace_first", "replace_last") and len(args) >= 3:
        size = len(args[0]) if isinstance(args[0], str) else 100
        found = str(args[0]).count(str(args[1])) if str(args[1]) else size + 1
        times = found if name == "replace" else 1
        grown = size + times * len(str(args[2]))
    elif name == "join" and isinstance(args[0], list | tuple | range):
        separator = len(str(args[1])) if len(args) > 1 else 1
        grown = sum(len(str(item)) + separator for item in args[0])
    elif name == "newline_to_br":
        grown = len(str(args[0])) + 5 * str(args[0]).count("\n")
    else:
        return
    if grown > MAX_TEXT:
        raise ResourceLimitError("a value grew too large", token=None)


class Template(BoundTemplate):
    """A parsed template that counts its work."""

    context_class = Context
    source_size = 0


class Sandbox(Environment):
    """Liquid as templates may use it."""

    template_class = Template
    context_depth_limit = 20
    loop_iteration_limit = MAX_LOOPS
    local_namespace_limit = MAX_LOCALS
    output_stream_limit = MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Take Liquid's standard words, without those that are dangerous here."""
        super().setup_tags_and_filters(extra=extra)
        for tag in FORBIDDEN_TAGS:
            self.tags.pop(tag)
        for name in FORBIDDEN_FILTERS:
            self.filters.pop(name)
        self.add_filter("date", date)
        self.add_filter("strip_html", strip_html)


@with_context
def date(value: Any, form: Any = "%Y-%m-%d", *, context: RenderContext) -> Any:
    """A moment in the given form. “now” is the moment of the rendering, not the clock's."""
    if value in ("now", "today"):
        value = context.resolve("now", default=None)
    if value is None:
        return ""
    if len(str(value)) > 100 or len(str(form)) > 200:
        return value
    try:
        if isinstance(value, str) and not isinstance(value, Markup):
            value = _moment(value)
        return liquid_date(value, form, environment=context.env)
    except (ValueError, OverflowError, OSError):
        return str(value)


def _moment(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def strip_html(value: Any) -> str:
    """The text without its tags."""
    return re.sub(r"<[^<>]*>", "", "" if value is None else str(value))


HTML = Sandbox(autoescape=True)
TEXT = Sandbox(autoescape=False)


@lru_cache(maxsize=256)
def parse(source: str, *, escape: bool) -> Template:
    """The parsed template, its values escaped as HTML or not. Raises `TemplateError`."""
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_SOURCE:
        raise TemplateError(f"It is longer than {MAX_SOURCE // 1024} KB.")
    environment = HTML if escape else TEXT
    try:
        template = environment.from_string(source)
    except LiquidError as error:
        raise TemplateError(_sentence(error), _line(error, source)) from error
    except RecursionError as error:
        raise TemplateError("It is nested too deeply.") from error
    assert isinstance(template, Template)
    template.source_size = size
    return template


def render(source: str, context: Mapping[str, Any], *, escape: bool) -> str:
    """The template with its values filled in. Raises `TemplateError`."""
    template = parse(source, escape=escape)
    try:
        return template.render(**context)
    except LiquidError as error:
        raise TemplateError(_sentence(error), _line(error, source)) from error
    except (RecursionError, MemoryError) as error:
        raise TemplateError("It is nested too deeply or grows too large.") from error
    except (ArithmeticError, ValueError, TypeError, AttributeError, LookupError) as error:
        # A filter that was handed what it does not expect; Liquid does not catch all of these.
        raise TemplateError(f"A filter can't work on this value ({error}).") from error


def check(source: str) -> list[TemplateError]:
    """All that is wrong with a template before it is rendered: what can't be parsed, and filters
    that do not exist.
    """
    try:
        template = parse(source, escape=True)
        used = template.analyze()
    except TemplateError as error:
        return [error]
    except LiquidError as error:
        return [TemplateError(_sentence(error), _line(error, source))]
    return [
        TemplateError(f"There is no filter “{name}”.", _line_at(source, spans[0].index))
        for name, spans in sorted(used.filters.items())
        if name not in HTML.filters
    ]


def variables(source: str) -> set[str]:
    """The dotted names that a template reads from what it is given, such as ``contact.city``.

    Names it sets itself are not among them. Empty where it can't be parsed.
    """
    try:
        found = parse(source, escape=True).analyze().globals
    except (TemplateError, LiquidError):
        return set()
    names = set()
    for uses in found.values():
        for use in uses:
            plain: list[str] = []
            for segment in use.segments:
                if not isinstance(segment, str):
                    break
                plain.append(segment)
            names.add(".".join(plain))
    return names


_BLOCK = re.compile(r"\{%-?\s*(end)?(if|unless|for|case|capture|tablerow|comment|raw)\b")


def _line(error: LiquidError, source: str) -> int | None:
    """The line an error points at; where the end was reached, that of the tag left open."""
    token = error.token
    if token is not None and 0 <= token.start_index < len(source):
        return _line_at(source, token.start_index)
    open_tags: list[int] = []
    for match in _BLOCK.finditer(source):
        if match[1] is None:
            open_tags.append(match.start())
        elif open_tags:
            open_tags.pop()
    return _line_at(source, open_tags[-1]) if open_tags else None


def _line_at(source: str, index: int) -> int:
    return source.count("\n", 0, index) + 1


_WORDS = {
    "expected '}}', found end of file": "A “{{” is not closed by “}}”.",
    "expected '%}', found end of file": "A “{%” is not closed by “%}”.",
    "expected a primitive expression, found end of expression": "Something is missing here.",
}


def _sentence(error: LiquidError) -> str:
    """An error in words that a marketer understands."""
    message = str(error.args[0]) if error.args else "it can't be understood"
    if message in _WORDS:
        return _WORDS[message]
    if match := re.fullmatch(r"expected tag end(\w+), found end of expression", message):
        return f"“{{% {match[1]} %}}” is not closed by “{{% end{match[1]} %}}”."
    if match := re.fullmatch(r"unexpected tag '(\w+)'", message):
        if match[1] in FORBIDDEN_TAGS:
            return f"“{{% {match[1]} %}}” can't be used in a message."
        return f"“{{% {match[1]} %}}” is unknown or does not belong here."
    if match := re.fullmatch(r"unknown filter '(\w+)'", message):
        return f"There is no filter “{match[1]}”."
    return message[:1].upper() + message[1:].rstrip(".") + "."
