"""The journey file as text: YAML, or the same as JSON, in and out (SEMANTICS §2, §6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from contacts.problems import Problem, Problems
from journeys.definition import Catalog, Definition, parse
from journeys.files.order import arranged
from journeys.files.reading import Located, Source, read, read_source
from journeys.files.writing import write

__all__ = [
    "Loaded",
    "Located",
    "NotReadable",
    "Source",
    "arranged",
    "line_about",
    "load",
    "read",
    "read_file",
    "read_source",
    "write",
]


class Loaded(NamedTuple):
    """A journey file that was read: what it means, what it says, and what is wrong with it.

    ``definition`` is None where anything is an error; ``data`` is None where the text can't be
    read at all. Each problem is a `Located`, with the line it stands in.
    """

    definition: Definition | None
    data: Any
    problems: Problems


def load(text: str, catalog: Catalog) -> Loaded:
    """Read and check a whole journey file. Reports all problems together, and never raises."""
    problems = Problems()
    source = read_source(text, problems)
    if source is None:
        return Loaded(None, None, problems)
    definition = parse(source.data, catalog, problems)
    located = source.locate(problems)
    return Loaded(None if located.errors else definition, source.data, located)


class NotReadable(ValueError):
    """A file is not there or holds no text; the message is a sentence that names it."""


def read_file(path: Path) -> str:
    """The text of a file, with or without a byte order mark. Raises NotReadable."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotReadable(f"{path} could not be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise NotReadable(f"{path} is no text in UTF-8.") from error


def line_about(path: Path, problem: Problem) -> str:
    """A problem as compilers report theirs: ``FILE:LINE: error: place: message hint``."""
    line = problem.line if isinstance(problem, Located) else None
    where = f"{path}:{line}" if line else str(path)
    place = f"{problem.place}: " if problem.place else ""
    hint = f" {problem.hint}" if problem.hint else ""
    return f"{where}: {problem.level}: {place}{problem.message}{hint}"
