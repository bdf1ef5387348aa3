"""Commands as they are called on a machine on which nothing was set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
JOURNEY = """
journey: first
name: First
entry: {trigger: {event: go}}
start: rest
nodes:
  rest: {kind: wait, for: 1d, next: hello}
  hello: {kind: send, template: hello}
"""
TEMPLATES = "templates: {hello: {name: Hello, subject: Hello, text: Hello}}\n"


def simulate(folder: Path, journey: str) -> subprocess.CompletedProcess[str]:
    (folder / "journey.yaml").write_text(journey)
    (folder / "contacts.csv").write_text("external_id,email,timezone,created_at\nu1,a@x.org,,\n")
    (folder / "events.jsonl").write_text(
        json.dumps({"contact": "u1", "at": "2026-03-01T09:00:00Z", "event": "go"})
    )
    files = ["journey.yaml", "--contacts=contacts.csv", "--events=events.jsonl"]
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", "simulate", *files, "--until=2026-03-05T00:00:00Z",
         "--out=result.jsonl"],
        cwd=folder,
        env={**os.environ, "VAR_DIR": str(folder / "var"), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip


def test_a_file_that_carries_all_it_needs_is_simulated_before_anything_is_set_up(tmp_path: Path):
    done = simulate(tmp_path, JOURNEY + TEMPLATES)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = (tmp_path / "result.jsonl").read_text().splitlines()
    assert json.loads(line)["messages"][0]["status"] == "queued"


def test_what_a_file_lacks_is_said_where_nothing_is_set_up(tmp_path: Path):
    done = simulate(tmp_path, JOURNEY)
    assert done.returncode == 1
    assert "nodes.hello.template" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "result.jsonl").exists()
