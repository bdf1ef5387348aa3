"""From a journey's data to YAML that a person would write, and that reads back the same."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from journeys.files.steps import NUMBER

#: A mapping or list stands in one line where it fits into so many characters.
LINE = 96
#: Sections whose entries have a line each.
SECTIONS = ("entry", "nodes", "templates", "segments", "topics", "installation")
#: What a literal block (`|`) gives back as it was: no odd characters, no blank at its start.
_ODD = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
_BLOCK = re.compile(rf"[^\s{_ODD}][^\t{_ODD}]*")
_PREFIX = "tag:yaml.org,2002:"


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or JSON would read as anything but text, with double quotes."""

    def choose_scalar_style(self) -> str:
        style = super().choose_scalar_style()
        return '"' if style == "'" else str(style)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_implicit_resolver(f"{_PREFIX}float", re.compile(f"^(?:{NUMBER})$"), list("-0123456789"))
_Dumper.add_implicit_resolver(f"{_PREFIX}time", re.compile("^[0-9]+:[0-9:]*$"), list("0123456789"))


def write(data: Any) -> str:
    """YAML for JSON-like ``data``; `read` gives the same back, with the keys in the same order.

    Raises TypeError for what JSON does not know.
    """
    return str(
        yaml.serialize(_node(data, 0, ()), Dumper=_Dumper, allow_unicode=True, width=1_000_000)
    )


def _node(value: Any, indent: int, path: tuple[str, ...]) -> yaml.Node:
    if isinstance(value, dict):
        pairs = [
            (_text(key), _node(inner, indent + 2, (*path, key))) for key, inner in value.items()
        ]
        return yaml.MappingNode(f"{_PREFIX}map", pairs, flow_style=_in_line(value, indent, path))
    if isinstance(value, list | tuple):
        items = [_node(inner, indent + 2, (*path, "")) for inner in value]
        return yaml.SequenceNode(f"{_PREFIX}seq", items, flow_style=_in_line(value, indent, path))
    return _scalar(value)


def _scalar(value: Any) -> yaml.ScalarNode:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return yaml.ScalarNode(f"{_PREFIX}null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode(f"{_PREFIX}bool", "true" if value else "false")
    if isinstance(value, int):
        return yaml.ScalarNode(f"{_PREFIX}int", str(value))
    if isinstance(value, float) and value - value == 0:
        return yaml.ScalarNode(f"{_PREFIX}float", repr(value))
    raise TypeError(f"A journey file can't hold {value!r}.")


def _text(value: str) -> yaml.ScalarNode:
    style = None
    if re.search(rf"[{_ODD}]", value):
        style = '"'
    elif "\n" in value:
        style = "|" if _BLOCK.fullmatch(value) and " \n" not in value else '"'
    return yaml.ScalarNode(f"{_PREFIX}str", value, style=style)


def _in_line(value: Any, indent: int, path: tuple[str, ...]) -> bool:
    """Whether a mapping or list stands in one line, between braces."""
    if not value:
        return True
    if not path or (len(path) == 1 and path[0] in SECTIONS):
        return False
    if len(path) == 2 and path[0] == "templates":
        return False
    room = LINE - indent - len(path[-1])
    length = _length(value, room)
    return length is not None and length <= room


def _length(value: Any, room: int) -> int | None:
    """About how long ``value`` is in one line; None where it has several lines."""
    if isinstance(value, str):
        return None if "\n" in value else len(value)
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        return len(json.dumps(value))
    total = 2
    for part in parts:
        length = _length(part, room)
        if length is None or total > room:
            return None
        total += length + 2
    return total
