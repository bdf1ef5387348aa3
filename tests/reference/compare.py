"""Compare the engine with the reference interpreter on random journeys.

    python -m tests.reference.compare --seeds 0-999 [--jobs 2] [--keep DIR] [--show 5]
    python -m tests.reference.compare --invalid 0-499
    python -m tests.reference.compare --shrink SEED

A difference is shown line by line with the folder in which the case lies. ``--shrink`` makes a
case smaller as long as the two still differ.
"""

from __future__ import annotations

import argparse
import copy
import csv
import difflib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.reference.generate import Case, InvalidCase, case, invalid_case, problems, write
from tests.reference.interpreter import TooLong, WrongInput, prepare

_ready = False


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass
class Verdict:
    """What comparing one case gave; ``kind`` is same, open, differs, refused or raised."""

    seed: int
    kind: str
    folder: Path
    text: str = ""


def setup() -> None:
    """Make Django ready in this process, once, with an empty installation in memory."""
    global _ready
    if _ready:
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "journeys_project.settings")
    os.environ["DATABASE_URL"] = "sqlite://:memory:"
    import django
    from django.contrib import admin
    from django.core.management import call_command

    admin.autodiscover = lambda: None  # its pages say nothing about the engine
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    _ready = True


def run_engine(given: Case, folder: Path, journey_text: str | None = None) -> list[Any]:
    """The result lines of the real engine; what it raises goes through."""
    setup()
    from journeys.simulation import simulate

    files = write(given, folder, journey_text)
    out = folder / "out.jsonl"
    out.unlink(missing_ok=True)
    simulate(
        files.journey,
        files.contacts,
        files.events,
        until=given.until,
        start=given.start,
        out=out,
    )
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines() if line]


def run_reference(given: Case, folder: Path) -> tuple[list[Any], list[str]]:
    """The result lines of the interpreter, and what the page leaves open about them."""
    files = write(given, folder)
    simulation = prepare(files.journey, files.contacts, files.events, given.until, given.start)
    lines = simulation.run()
    return lines, simulation.open_questions()


def describe(lines: list[Any]) -> list[str]:
    """Result lines as text in which a difference is easy to see."""
    text = []
    for line in lines:
        line = dict(line)
        visits, messages = line.pop("visits", []), line.pop("messages", [])
        text.append(json.dumps(line, ensure_ascii=False))
        text += ["    visit   " + json.dumps(visit, ensure_ascii=False) for visit in visits]
        text += ["    message " + json.dumps(message, ensure_ascii=False) for message in messages]
    return text


def check(given: Case, folder: Path) -> Verdict:
    """Run both on a case."""
    from_reference, questions = run_reference(given, folder)
    try:
        from_engine = run_engine(given, folder)
    except Exception as error:
        from journeys.simulation import SimulationError

        kind = "refused" if isinstance(error, SimulationError) else "raised"
        text = str(error) if kind == "refused" else traceback.format_exc(limit=-6)
        return Verdict(given.seed, kind, folder, text)
    if from_engine == from_reference:
        return Verdict(given.seed, "same", folder)
    text = "\n".join(
        difflib.unified_diff(
            describe(from_reference), describe(from_engine), "reference", "engine", "", "", 2
        )
    )
    return Verdict(
        given.seed, "open" if questions else "differs", folder, text or "order of keys or types"
    )


def check_seed(argument: tuple[int, str]) -> Verdict:
    seed, keep = argument
    setup()
    folder = Path(keep) / str(seed)
    try:
        return check(case(seed), folder)
    except TooLong as error:
        return Verdict(seed, "open", folder, str(error))


def check_invalid_seed(argument: tuple[int, str]) -> Verdict:
    """A broken case must be refused, and leave no output file."""
    seed, keep = argument
    folder = Path(keep) / f"invalid-{seed}"
    given: InvalidCase = invalid_case(seed)
    setup()
    from journeys.simulation import SimulationError

    try:
        run_engine(given.case, folder, given.journey_text)
    except SimulationError as error:
        if (folder / "out.jsonl").exists():
            return Verdict(seed, "differs", folder, f"{given.broken}: refused, but left a file")
        return Verdict(seed, "same", folder, str(error))
    except Exception:
        return Verdict(seed, "raised", folder, given.broken + "\n" + traceback.format_exc(limit=-6))
    return Verdict(seed, "differs", folder, f"not refused: {given.broken}")


def seeds_of(text: str) -> list[int]:
    """``5``, ``0-99`` or ``1,5,7-9``."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def verdicts(
    work: Callable[[tuple[int, str]], Verdict], seeds: list[int], keep: Path, jobs: int
) -> Iterator[Verdict]:
    arguments = [(seed, str(keep)) for seed in seeds]
    if jobs == 1:
        yield from map(work, arguments)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(work, arguments, chunksize=4)


# --------------------------------------------------------------------------------------------
# Making a case smaller


def smaller(given: Case) -> Iterator[Case]:
    """All cases that are one step smaller, the biggest steps first."""
    lines = given.events_jsonl.splitlines(keepends=True)
    size = len(lines) // 2
    while size:
        for first in range(0, len(lines), size):
            rest = lines[:first] + lines[first + size :]
            yield replace(given, events_jsonl="".join(rest))
        size //= 2
    rows = list(csv.reader(io.StringIO(given.contacts_csv.removeprefix("\ufeff"), newline="")))
    for number in range(1, len(rows)):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows[:number] + rows[number + 1 :])
        yield replace(given, contacts_csv=out.getvalue())
    for column in range(len(rows[0])):
        if rows[0][column] == "external_id":
            continue
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(
            row[:column] + row[column + 1 :] if len(row) > column else row for row in rows
        )
        yield replace(given, contacts_csv=out.getvalue())
    if given.start is not None:
        yield replace(given, start=None)
    for journey in smaller_journeys(given.journey):
        if not problems(journey):
            yield replace(given, journey=journey)
    for number, line in enumerate(lines):
        fact = json.loads(line)
        for key in ("properties", "message_id", "received_at"):
            if key in fact:
                less = {name: value for name, value in fact.items() if name != key}
                changed = [*lines[:number], json.dumps(less) + "\n", *lines[number + 1 :]]
                yield replace(given, events_jsonl="".join(changed))
        for key in ("properties", "set"):
            for name in fact.get(key, {}) if len(fact.get(key, {})) > 1 else ():
                less = copy.deepcopy(fact)
                del less[key][name]
                changed = [*lines[:number], json.dumps(less) + "\n", *lines[number + 1 :]]
                yield replace(given, events_jsonl="".join(changed))


def smaller_journeys(journey: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("goal", "exit_when", "window"):
        if key in journey:
            yield {name: part for name, part in journey.items() if name != key}
    if "frequency_cap" in journey.get("installation", {}):
        less = copy.deepcopy(journey)
        del less["installation"]["frequency_cap"]
        yield less
    if "filter" in journey["entry"]:
        less = copy.deepcopy(journey)
        del less["entry"]["filter"]
        yield less
    for name, node in journey["nodes"].items():
        following = node.get("next")
        targets = [None]
        if isinstance(following, str):
            targets.append(following)
        elif following:
            targets += list(dict.fromkeys(following.values()))
        for target in targets:  # leave the node out
            less = copy.deepcopy(journey)
            del less["nodes"][name]
            if less["start"] == name and target is not None:
                less["start"] = target
            for other in less["nodes"].values():
                redirect(other, name, target)
            yield without_unreachable(less)
        if following is not None:  # cut its edges
            less = copy.deepcopy(journey)
            del less["nodes"][name]["next"]
            yield without_unreachable(less)
        for outcome in following if isinstance(following, dict) else ():
            less = copy.deepcopy(journey)
            del less["nodes"][name]["next"][outcome]
            if not less["nodes"][name]["next"]:
                del less["nodes"][name]["next"]
            yield without_unreachable(less)
    for path in parts(journey):
        less = copy.deepcopy(journey)
        place: Any = less
        for step in path[:-1]:
            place = place[step]
        last = place[path[-1]]
        if isinstance(last, list):
            for number in range(len(last)):
                again = copy.deepcopy(less)
                inner: Any = again
                for step in path:
                    inner = inner[step]
                del inner[number]
                yield again
            continue
        if "not" in last:
            place[path[-1]] = last["not"]
            yield less
        for word in ("all", "any"):
            for item in last.get(word, []):
                again = copy.deepcopy(less)
                inner = again
                for step in path[:-1]:
                    inner = inner[step]
                inner[path[-1]] = item
                yield again
        for word in ("within", "since", "count", "where", "transactional", "topic", "key"):
            if word in last and ("event" in last or word in ("transactional", "topic")):
                again = copy.deepcopy(less)
                inner = again
                for step in path:
                    inner = inner[step]
                del inner[word]
                yield again
        if "set" in last and len(last["set"]) > 1:
            for name in last["set"]:
                again = copy.deepcopy(less)
                inner = again
                for step in path:
                    inner = inner[step]
                del inner["set"][name]
                yield again
    for key in ("segments", "topics", "templates"):
        for name in journey.get(key, {}):
            less = copy.deepcopy(journey)
            del less[key][name]
            yield less


def parts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the objects of a document are, and the lists that may be shorter."""
    if isinstance(value, dict):
        if path:
            yield path
        for key, item in value.items():
            yield from parts(item, (*path, key))
    elif isinstance(value, list):
        if path and path[-1] in ("all", "any", "where", "paths") and len(value) > 1:
            yield path
        for number, item in enumerate(value):
            yield from parts(item, (*path, number))


def redirect(node: dict[str, Any], name: str, target: str | None) -> None:
    following = node.get("next")
    if following == name:
        if target is None:
            del node["next"]
        else:
            node["next"] = target
    elif isinstance(following, dict):
        for outcome, each in list(following.items()):
            if each == name:
                if target is None:
                    del following[outcome]
                else:
                    following[outcome] = target
        if not following:
            del node["next"]


def without_unreachable(journey: dict[str, Any]) -> dict[str, Any]:
    reached, todo = set(), [journey["start"]]
    while todo:
        name = todo.pop()
        if name in reached or name not in journey["nodes"]:
            continue
        reached.add(name)
        following = journey["nodes"][name].get("next")
        if following is not None:
            todo += [following] if isinstance(following, str) else following.values()
    journey["nodes"] = {name: node for name, node in journey["nodes"].items() if name in reached}
    return journey


def shrink(given: Case, folder: Path, seconds: float = 300) -> Verdict:
    """Make a case smaller while the two still differ in the same way."""
    setup()
    verdict = check(given, folder / "now")
    if verdict.kind == "same":
        return verdict
    kind = verdict.kind
    end = time.monotonic() + seconds
    progress = True
    while progress and time.monotonic() < end:
        progress = False
        for candidate in smaller(given):
            try:
                tried = check(candidate, folder / "try")
            except (WrongInput, TooLong, LookupError, TypeError, AssertionError):
                continue  # no valid case any more
            if tried.kind == kind:
                given, verdict, progress = candidate, tried, True
                break
            if time.monotonic() > end:
                break
    write(given, folder)
    verdict.folder = folder
    return verdict


# --------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=seeds_of)
    parser.add_argument("--invalid", type=seeds_of, help="seeds of broken cases")
    parser.add_argument("--shrink", type=int, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where the files of the cases stay")
    parser.add_argument("--show", type=int, default=5, help="how many differences are shown")
    options = parser.parse_args(arguments)
    keep = options.keep or Path(tempfile.mkdtemp(prefix="compare-"))
    if options.shrink is not None:
        folder = keep / f"shrunk-{options.shrink}"
        verdict = shrink(case(options.shrink), folder)
        say(f"seed {options.shrink}: {verdict.kind}\n{verdict.text}\n")
        for name in ("journey.yaml", "journey.json", "contacts.csv", "events.jsonl"):
            if (folder / name).exists():
                say(f"--- {folder / name}\n{(folder / name).read_text(encoding='utf-8')}")
        say((folder / "command.txt").read_text() if (folder / "command.txt").exists() else "")
        return int(verdict.kind != "same")
    counts: Counter[str] = Counter()
    wrong: list[int] = []
    begun = time.monotonic()
    for work, seeds in ((check_seed, options.seeds), (check_invalid_seed, options.invalid)):
        for verdict in verdicts(work, seeds or [], keep, options.jobs):
            counts[verdict.kind] += 1
            if verdict.kind in ("same", "open"):
                continue
            wrong.append(verdict.seed)
            if len(wrong) <= options.show:
                say(f"=== seed {verdict.seed}: {verdict.kind}, in {verdict.folder}")
                shown = verdict.text.splitlines()
                say("\n".join(shown[:40]) + ("\n...\n" if len(shown) > 40 else "\n"))
    took = time.monotonic() - begun
    say(f"{dict(counts)} in {took:.0f} s; cases in {keep}")
    if wrong:
        say("seeds to look at: " + ",".join(map(str, sorted(wrong)[:60])))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
