"""CSV files on their way in: what spreadsheets write, exact accounts, kills, undo (FACTS F16)."""

from __future__ import annotations

import csv
import io
import random
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import segments
from contacts.imports import hooks, loading, mapping, reading, report, running, undoing
from contacts.imports.mapping import Column
from contacts.imports.reading import Format, Unreadable
from contacts.ingest import Identify, Track
from contacts.models import Contact, Fact, Import, Membership, Segment
from tests.contacts.conftest import NOW, record

PEOPLE = "external_id,email,plan,Ünit\nu1,a@x.org,pro,a\nu2,b@x.org,free,b\n"


def read(data: bytes | str, how: Format | None = None) -> tuple[Format, list[str], list[Any]]:
    file = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    how = how or reading.recognise(file)
    return how, reading.columns(file, how), list(reading.rows(file, how))


# Reading


@pytest.mark.parametrize(
    ("encoding", "recognised"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read(encoding: str, recognised: str, delimiter: str, end: str):
    text = PEOPLE.replace(",", delimiter).replace("\n", end)
    how, names, rows = read(text.encode(encoding))
    assert how == Format(recognised, delimiter)
    assert names == ["external_id", "email", "plan", "Ünit"]
    assert [row.cells for row in rows] == [
        ["u1", "a@x.org", "pro", "a"],
        ["u2", "b@x.org", "free", "b"],
    ]
    assert [(row.number, row.line, row.problem) for row in rows] == [(1, 2, ""), (2, 3, "")]


def test_windows_1252_is_recognised_by_a_byte_far_behind():
    data = b"email,name\n" + b"a@x.org,plain\n" * 200_000 + "b@x.org,Jörg\n".encode("cp1252")
    how, _, rows = read(data)
    assert how.encoding == "cp1252"
    assert rows[-1].cells == ["b@x.org", "Jörg"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "This is a picture, not a CSV file."),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "This is a picture, not a CSV file."),
        (b"%PDF-1.7\n%...", "This is a PDF, not a CSV file."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "This is an Excel workbook: save it as CSV."),
        (b"PK\x03\x04\x14\0[Content_Types].xml", "This is an Excel workbook: save it as CSV."),
        (b"PK\x03\x04\x14\0docProps/app.xml", "This is an Excel workbook: save it as CSV."),
        (b"PK\x03\x04\x14\0people.csv", "This is an archive: unpack it first."),
        (
            b"\x7fELF\x02\x01\x01\0\0email,name\na@x.org,a\n",
            "This is no text file: save it as CSV.",
        ),
    ],
)
def test_what_is_no_text_is_refused_with_a_hint(data: bytes, words: str):
    with pytest.raises(Unreadable, match=re.escape(words)):
        reading.recognise(io.BytesIO(data))


def test_a_header_without_rows_is_refused():
    with pytest.raises(Unreadable, match="no rows below the names of its columns"):
        running.prepare(io.BytesIO(b"email,name\n\n"), "x.csv")


def test_a_delimiter_in_quotes_does_not_count():
    how, names, _ = read('"a,b,c,d";e\n')
    assert (how.delimiter, names) == (";", ["a,b,c,d", "e"])


def test_one_column_needs_no_delimiter():
    how, names, rows = read("email\na@x.org\nb@x.org")
    assert (how.delimiter, names, len(rows)) == (",", ["email"], 2)


def test_quoted_line_ends_delimiters_and_quotes_belong_to_the_cell():
    _, _, rows = read('email,note\r\na@x.org,"one\r\ntwo, ""three"""\r\nb@x.org,x\r\n')
    assert rows[0].cells == ["a@x.org", 'one\r\ntwo, "three"']
    assert [row.line for row in rows] == [2, 4]


def test_a_field_of_more_than_131072_characters_is_read():
    _, _, rows = read("email,note\na@x.org," + "x" * 140_000 + "\n")
    assert len(rows[0].cells[1]) == 140_000


def test_a_line_without_end_is_refused_and_the_next_is_read():
    _, _, rows = read("email,note\na@x.org," + "x" * 3_000_000 + "\nb@x.org,y\n")
    assert [bool(row.problem) for row in rows] == [True, False]
    assert rows[1].cells == ["b@x.org", "y"]


def test_an_unclosed_quote_is_said_with_its_line_and_swallows_nothing():
    _, _, rows = read('email,note\na@x.org,x\nb@x.org,"open\nc@x.org,y\nd@x.org,z\n')
    assert [(row.line, row.problem) for row in rows] == [
        (2, ""),
        (3, "A quote that opens in this line is never closed."),
        (4, ""),
        (5, ""),
    ]
    assert rows[3].cells == ["d@x.org", "z"]


def test_quotes_that_do_not_match_are_said_with_their_line():
    _, _, rows = read('email,note\na@x.org,"x"y\nb@x.org,z\n')
    assert rows[0].problem == "The quotes in this line do not match."
    assert rows[1].cells == ["b@x.org", "z"]


def test_an_unclosed_quote_before_a_large_file_is_found_at_once():
    data = 'email,note\n"a@x.org,x\n' + "b@x.org,y\n" * 300_000
    _, _, rows = read(data)
    assert len(rows) == 300_001
    assert [row.line for row in rows if row.problem] == [2]


def test_ragged_rows():
    _, _, rows = read("email,note,n\na@x.org\nb@x.org,x,1,,\nc@x.org,x,1,more\n\n,,\n")
    assert [(row.cells, row.problem) for row in rows] == [
        (["a@x.org"], ""),
        (["b@x.org", "x", "1"], ""),
        (["c@x.org", "x", "1", "more"], "The row has 4 cells, and the header has 3."),
    ]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe", b"   \r\n"])
def test_an_empty_file_says_so(data: bytes):
    with pytest.raises(Unreadable, match="empty"):
        read(data)


# Mapping


@pytest.mark.django_db
def test_a_heading_finds_the_attribute_that_is_meant():
    from contacts import catalogue

    catalogue.write({}, {"first_name": {"": {"text"}}, "lastSeen": {"": {"text"}}}, NOW)
    _, names, rows = read("email;First name;Last seen;Signed up;Plan;cityName\na@x.org;A;b;c;d;e\n")
    found = [column.target for column in mapping.recognise(names, rows)]
    assert found == ["", "first_name", "lastSeen", "signed_up", "plan", "cityName"]


@pytest.mark.django_db
def test_columns_are_recognised_by_name_and_cells():
    record(Identify({"zip": "01234", "score": 5}, external_id="x"))
    from contacts import catalogue

    catalogue.write({}, {"zip": {"": {"text"}}, "score": {"": {"number"}}}, NOW)
    text = (
        "E-Mail;Customer ID;seats;Zip;zip;birthday;vip;score;flag;empty;seats\n"
        "a@x.org;1;12;01234;12345;24.12.1990;yes;7;1;;3\n"
        "b@x.org;2;3,5;98765;54321;1990-12-24;no;8;0;;4\n"
    )
    _, names, rows = read(text)
    found = [(column.to, column.target, column.type) for column in mapping.recognise(names, rows)]
    assert found == [
        ("email", "", "text"),
        ("external_id", "", "text"),
        ("attribute", "seats", "number"),
        ("attribute", "Zip", "text"),
        ("attribute", "zip", "text"),
        ("attribute", "birthday", "date"),
        ("attribute", "vip", "boolean"),
        ("attribute", "score", "number"),
        ("attribute", "flag", "number"),
        ("attribute", "empty", "text"),
        ("skip", "", "text"),
    ]


@pytest.mark.django_db
def test_the_language_is_recognised_as_the_docs_say():
    found = mapping.recognise(["email", "locale", "language", "language"], [])
    assert [(column.to, column.target) for column in found] == [
        ("email", ""),
        ("language", ""),
        ("attribute", "language"),
        ("skip", ""),
    ]


def test_a_mapping_says_what_is_wrong_with_it():
    columns = [
        Column("a", "email"),
        Column("b", "email"),
        Column("c", "attribute", "x"),
        Column("d", "attribute", "x"),
        Column("e", "attribute", ""),
        Column("f", "attribute", "email"),
    ]
    assert mapping.problems(columns) == [
        "Only one column can be “Email address”.",
        "Two columns are the attribute “x”.",
        "The column “e” needs the name of an attribute.",
        "“email” is no attribute: choose the field of that name.",
    ]
    assert mapping.problems([Column("c", "attribute", "x")]) == [
        "One column must be the user id or the email address."
    ]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("number", "12", 12),
        ("number", "-3", -3),
        ("number", "1.5", 1.5),
        ("number", "1,5", 1.5),
        ("boolean", "Yes", True),
        ("boolean", "nein", False),
        ("date", "2026-03-01", "2026-03-01"),
        ("date", "1.3.2026", "2026-03-01"),
        ("date", "2026/03/01", "2026-03-01"),
        ("date", "2026-03-01 10:00", "2026-03-01 10:00"),
        ("list", "a, b,,c", ["a", "b", "c"]),
        ("text", "=1+1", "=1+1"),
    ],
)
def test_cells_become_values_of_their_type(kind: str, cell: str, value: Any):
    assert mapping.CONVERTERS[kind](cell) == value


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("number", "abc"),
        ("number", "1.2.3"),
        ("number", "9" * 30),
        ("number", "١٢"),
        ("boolean", "maybe"),
        ("date", "2026-02-30"),
        ("date", "yesterday"),
        ("date", "31.2.2026"),
    ],
)
def test_cells_of_another_type_are_refused(kind: str, cell: str):
    with pytest.raises(ValueError):
        mapping.CONVERTERS[kind](cell)


# Running


def prepared(text: str | bytes, **options: Any) -> Import:
    data = text if isinstance(text, bytes) else text.encode()
    source = running.prepare(io.BytesIO(data), "people.csv", **options)
    columns = [Column.from_json(item) for item in source.mapping]
    columns = [
        replace(column, type="number") if column.name in ("n", "seats") else column
        for column in columns
    ]
    assert mapping.problems(columns) == []
    source.mapping = [column.as_json() for column in columns]
    source.save()
    return source


def imported(text: str | bytes, **options: Any) -> Import:
    source = prepared(text, **options)
    assert running.start(source)
    assert running.run(source)
    source.refresh_from_db()
    assert source.status == Import.Status.DONE, source.error
    return source


def account(source: Import) -> tuple[int, int, int, int]:
    return source.created, source.updated, source.unchanged, source.refused


@pytest.fixture(autouse=True)
def nobody_nudges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.imports.running.nudge", lambda: None)


pytestmark = pytest.mark.django_db


def test_contacts_come_in_with_types():
    source = imported(
        "external_id,email,timezone,created_at,plan,seats,address.city,attributes\n"
        'u1,a@x.org,Europe/Berlin,2020-01-02,pro,12,Bonn,"{""plan"": ""team"", ""x"": [1]}"\n'
        "u2,,,,free,3,,\n"
    )
    assert account(source) == (2, 0, 0, 0)
    one, two = Contact.objects.order_by("external_id")
    assert one.attributes == {
        "plan": "team",
        "seats": 12,
        "address": {"city": "Bonn"},
        "x": [1],
    }
    assert (one.email, one.timezone) == ("a@x.org", "Europe/Berlin")
    assert one.created_at == datetime(2020, 1, 2, tzinfo=UTC)
    assert two.attributes == {"plan": "free", "seats": 3}
    facts = Fact.objects.order_by("id")
    assert [fact.payload.get("quiet") for fact in facts] == [True, True]
    assert facts[0].payload["changes"]["external_id"] == {"old": None, "new": "u1"}


def test_a_time_zone_that_there_is_not_is_refused_with_its_row():
    text = (
        "external_id,timezone\nu1,Europe/Berlin\nu2,Mars/Phobos\nu3,europe/berlin\nu4,\n"
        f"u5,{'x' * 100}\n"
    )
    source = prepared(text)
    running.check(source)
    running.run_due()
    source.refresh_from_db()
    assert (source.preview["created"], source.preview["refused"]) == (2, 3)
    source = imported(text)
    assert account(source) == (2, 0, 0, 3)
    assert list(source.refused_rows.values_list("line", "reason")) == [
        (3, "“Mars/Phobos” is no time zone. Write it as Europe/Berlin."),
        (4, "“europe/berlin” is no time zone. Write it as Europe/Berlin."),
        (6, f"“{'x' * 50}” is no time zone. Write it as Europe/Berlin."),
    ]


def test_every_row_is_accounted_for():
    record(Identify({"plan": "pro"}, external_id="same"), Identify({}, external_id="other"))
    source = imported(
        "external_id,email,plan,seats\n"
        "same,,pro,\n"
        "other,,pro,1\n"
        "new,,pro,2\n"
        "new,,pro,2\n"
        "new,,free,2\n"
        ",,pro,3\n"
        "bad,not an address,pro,4\n"
        "bad,,pro,five\n"
        "b\0d,,pro,1\n"
        f"{'x' * 151},,pro,1\n"
        "more,,pro,1,2\n"
        'open,"x,pro,1\n'
    )
    assert account(source) == (1, 2, 2, 7)
    assert source.position == 12
    reasons = list(source.refused_rows.values_list("line", "reason"))
    assert reasons == [
        (7, "A user id, an anonymous id or an email address is needed."),
        (8, "“not an address” is no email address."),
        (9, "“five” in “seats” is no number."),
        (10, "A cell holds a character that no text may have."),
        (11, "“external_id” has more than 150 characters."),
        (12, "The row has 5 cells, and the header has 4."),
        (13, "A quote that opens in this line is never closed."),
    ]


def test_doubled_addresses_are_one_contact():
    source = imported("email,plan\nA@x.org,pro\na@X.org,free\n")
    assert account(source) == (1, 1, 0, 0)
    contact = Contact.objects.get()
    assert (contact.email, contact.attributes) == ("a@X.org", {"plan": "free"})


def test_an_empty_cell_changes_nothing():
    record(Identify({"plan": "pro"}, external_id="u1", email="a@x.org"))
    assert account(imported("external_id,email,plan\nu1,,\n")) == (0, 0, 1, 0)
    assert Contact.objects.get().attributes == {"plan": "pro"}


def test_only_new_leaves_known_people_alone():
    record(Identify({"plan": "pro"}, external_id="u1"))
    source = imported("external_id,plan\nu1,free\nu2,free\n", update_existing=False)
    assert account(source) == (1, 0, 1, 0)
    assert Contact.objects.get(external_id="u1").attributes == {"plan": "pro"}


def test_filling_in_overwrites_nothing():
    record(Identify({"plan": "pro", "a": {"b": 1}}, external_id="u1", email="old@x.org"))
    imported(
        "external_id,email,plan,seats,a.b,a.c\nu1,new@x.org,free,3,9,9\n",
        overwrite=Import.Overwrite.EMPTY,
    )
    contact = Contact.objects.get()
    assert contact.email == "old@x.org"
    assert contact.attributes == {"plan": "pro", "seats": 3, "a": {"b": 1, "c": 9}}


def test_a_file_of_refused_rows_is_read_again_without_what_was_added_to_it():
    source = prepared("Line,Reason,email,plan\n3,“bad” is no email address.,a@x.org,pro\n")
    assert [item["to"] for item in source.mapping] == ["skip", "skip", "email", "attribute"]
    source = prepared("email,Line,Reason\na@x.org,3,x\n")
    assert [item["to"] for item in source.mapping] == ["email", "attribute", "attribute"]


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("list", '["\\u0000"]'),
        ("list", '["\\ud800"]'),
        ("list", "[NaN]"),
        ("list", "[9223372036854775808]"),
        ("number", "9223372036854775808"),
    ],
)
def test_a_cell_that_no_database_keeps_is_refused_alone(kind: str, cell: str):
    quoted = cell.replace('"', '""')
    source = prepared(f'email,x\na@x.org,"{quoted}"\nb@x.org,1\n')
    source.mapping = [source.mapping[0], {**source.mapping[1], "type": kind}]
    source.save()
    running.start(source)
    running.run(source)
    assert account(source) == (1, 0, 0, 1)
    assert f"in “x” is no {kind}." in source.refused_rows.get().reason
    assert Contact.objects.get().email == "b@x.org"


def test_single_columns_may_only_fill_in():
    record(Identify({"plan": "pro", "city": "Bonn", "a": 1}, external_id="u1", language="de"))
    text = (
        "external_id,email,locale,plan,city,seats,attributes\n"
        'u1,one@x.org,fr,free,Ulm,3,"{""a"": 2, ""b"": 2}"\n'
        'u2,two@x.org,fr,free,Ulm,3,"{""a"": 2}"\n'
    )
    source = prepared(text)
    keep = ("locale", "plan", "seats", "attributes")
    source.mapping = [
        {**item, "keep": True} if item["column"] in keep else item for item in source.mapping
    ]
    source.save()
    running.start(source)
    running.run(source)
    one, two = Contact.objects.order_by("external_id")
    assert (one.email, one.language) == ("one@x.org", "de")
    assert one.attributes == {"plan": "pro", "city": "Ulm", "seats": 3, "a": 1, "b": 2}
    assert two.attributes == {"plan": "free", "city": "Ulm", "seats": 3, "a": 2}


def test_everybody_is_tagged_and_added_to_the_segment():
    record(Identify({}, external_id="u1"), Identify({}, external_id="u2"))
    vip = Segment.objects.create(slug="vip", name="VIP")
    segments.add(vip, [Contact.objects.get(external_id="u2").pk], at=NOW)
    Fact.objects.all().delete()
    for _ in range(2):
        imported("external_id\nu1\nu2\nu3\n", tag="spring", segment=vip, start_journeys=True)
    assert Membership.objects.filter(segment=vip, left_at=None).count() == 3
    assert all(c.attributes == {"imports": ["spring"]} for c in Contact.objects.all())
    payloads = {fact.contact.external_id: fact.payload for fact in Fact.objects.all()}
    assert payloads["u1"]["joined"] == [vip.pk]
    assert "joined" not in payloads["u2"]
    assert "quiet" not in payloads["u3"]


def test_topics_are_chosen_through_the_room_of_messages(monkeypatch: pytest.MonkeyPatch):
    calls: list[Any] = []

    class Topics:
        def names(self) -> list[tuple[str, str]]:
            return [("product", "Product news")]

        def choose(self, choices: Any, **options: Any) -> None:
            calls.append((choices, options))

    monkeypatch.setattr(hooks, "topics", Topics())
    source = prepared("external_id,news\nu1,yes\nu2,no\nu3,\nu4,what\n")
    source.mapping[1] = Column("news", "topic", "product").as_json()
    source.save()
    running.start(source)
    running.run(source)
    ids = dict(Contact.objects.values_list("external_id", "id"))
    (choices, options), *others = calls
    assert choices == [(ids["u1"], "product", True), (ids["u2"], "product", False)]
    assert options["keep_unsubscribed"] is True
    assert not others
    source.refresh_from_db()
    assert account(source) == (3, 0, 0, 1)


def numbered(count: int, every: int = 97) -> str:
    lines = ["external_id,email,plan,n"]
    for n in range(count):
        lines.append(f"u{n},u{n}@x.org,pro," + ("oops" if n % every == 0 else str(n)))
    return "\n".join(lines)


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("seed", range(5))
def test_a_kill_at_any_row_loses_and_repeats_none(seed: int, monkeypatch: pytest.MonkeyPatch):
    chance = random.Random(seed)
    monkeypatch.setattr(running, "SIZE", 50)
    source = prepared(numbered(1000))
    running.start(source)
    save = loading.Loader.save
    kills = 0

    def crash(self: loading.Loader, chunk: loading.Chunk) -> None:
        early = chance.random()
        if early < 0.15:
            raise Crash
        save(self, chunk)
        if early < 0.3:
            raise Crash

    monkeypatch.setattr(loading.Loader, "save", crash)
    while source.status != Import.Status.DONE:
        try:
            running.run(source)
        except Crash:
            kills += 1
        source.refresh_from_db()
    assert kills > 0
    refused = len(range(0, 1000, 97))
    assert account(source) == (1000 - refused, 0, 0, refused)
    assert source.refused_rows.count() == refused
    assert Contact.objects.count() == Fact.objects.count() == 1000 - refused


def test_pause_and_resume(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running, "SIZE", 10)
    source = prepared(numbered(50, 1000))
    running.start(source)
    save = loading.Loader.save

    def pausing(self: loading.Loader, chunk: loading.Chunk) -> None:
        save(self, chunk)
        if self.source.position == 10:
            assert running.pause(source)

    monkeypatch.setattr(loading.Loader, "save", pausing)
    running.run(source)
    source.refresh_from_db()
    assert (source.status, source.position) == (Import.Status.PAUSED, 20)
    assert running.run(source) is False
    assert running.start(source)
    running.run(source)
    assert (source.status, source.created, source.refused) == (Import.Status.DONE, 49, 1)


def test_two_workers_do_not_work_on_one_import():
    source = prepared(PEOPLE)
    running.start(source)
    Import.objects.update(lease_until=datetime.now(UTC) + running.LEASE)
    assert running.run(source) is False
    assert running.run_due() == 0
    Import.objects.update(lease_until=datetime.now(UTC) - running.LEASE)
    assert running.due_since(datetime.now(UTC)) is not None
    assert running.run_due() == 1
    assert Contact.objects.count() == 2


def test_an_error_of_the_program_stops_it_and_can_be_resumed(monkeypatch: pytest.MonkeyPatch):
    source = prepared(PEOPLE)
    running.start(source)

    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(loading.Loader, "save", broken)
        running.run(source)
    assert source.status == Import.Status.FAILED
    assert "ZeroDivisionError" in source.error
    assert running.start(source)
    running.run(source)
    assert (source.status, source.error, source.created) == (Import.Status.DONE, "", 2)


def test_a_dry_run_counts_as_the_run_does_and_writes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running, "SIZE", 7)
    record(Identify({"plan": "pro", "n": 5}, external_id="u5", email="u5@x.org"))
    record(Identify({}, external_id="u6"))
    text = numbered(40, 10) + "\n" + "\n".join(numbered(20, 10).splitlines()[1:])
    source = prepared(text)
    assert running.check(source)
    running.run(source)
    assert source.status == Import.Status.CHECKED
    assert Contact.objects.count() == 2
    preview = source.preview
    running.start(source)
    running.run(source)
    assert account(source) == tuple(
        preview[name] for name in ("created", "updated", "unchanged", "refused")
    )
    assert preview["rows"] == source.position == 60
    assert preview["shown"][0] == {"line": 2, "reason": "“oops” in “n” is no number."}


def test_undo_takes_back_what_the_import_did(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running, "SIZE", 2)
    record(
        Identify({"plan": "pro", "seats": 1}, external_id="u1", email="old@x.org"),
        Identify({"plan": "pro"}, external_id="u2"),
    )
    vip = Segment.objects.create(slug="vip", name="VIP")
    before = list(Contact.objects.order_by("id").values("external_id", "email", "attributes"))
    source = imported(
        "external_id,email,plan,seats\nu1,new@x.org,free,2\nu2,,free,2\nu3,,x,1\nu4,,x,1\nu5,,x,1\n",
        segment=vip,
    )
    record(Track("seen", external_id="u4"), Identify({"plan": "team"}, external_id="u2"))
    assert undoing.expected(source) == undoing.Undone(gone=2, back=2, kept=1)
    assert running.undo(source)
    running.run(source)
    assert source.status == Import.Status.UNDONE
    assert running.undone(source) == undoing.Undone(gone=2, back=2, kept=1)
    people = Contact.objects.order_by("id").values("external_id", "email", "attributes")
    before[1]["attributes"] = {"plan": "team"}
    assert list(people)[:2] == before
    assert [row["external_id"] for row in people] == ["u1", "u2", "u4"]
    assert not Membership.objects.filter(segment=vip, left_at=None).exists()


def test_of_a_large_import_undoing_is_foretold_without_looking_everybody_up(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(running, "SIZE", 1)
    monkeypatch.setattr(undoing, "LOOKED_UP", 1)
    source = imported("external_id\nu1\nu2\n")
    record(Track("seen", external_id="u1"))
    assert undoing.expected(source) == undoing.Undone(gone=2)


def test_a_chunk_costs_the_same_statements_whatever_its_size():
    vip = Segment.objects.create(slug="vip", name="VIP")
    counts = []
    for size in (10, 400):
        rows = "\n".join(f"{size}-{n},{size}-{n}@x.org,pro" for n in range(size))
        source = prepared(f"external_id,email,plan\n{rows}\n,,x", segment=vip, tag="t")
        running.start(source)
        with CaptureQueriesContext(connection) as queries:
            running.run(source)
        counts.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))
    assert counts[0] == counts[1]


# The report


def test_refused_rows_come_back_as_csv_without_formulas():
    source = imported("external_id,email,=cmd,x\nu1,bad,=1+1,-5\nu2,bad,@x,+49 1\nu3,bad,-x,1\n")
    assert list(report.refused_csv(source)) == [
        ["Line", "Reason", "external_id", "email", "'=cmd", "x"],
        ["2", "“bad” is no email address.", "u1", "bad", "'=1+1", "-5"],
        ["3", "“bad” is no email address.", "u2", "bad", "'@x", "+49 1"],
        ["4", "“bad” is no email address.", "u3", "bad", "'-x", "1"],
    ]


# The command


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "people.csv"
    file.write_text("id;mail;Seats;x\nu1;a@x.org;12;\nu2;b@x.org;many;\n", encoding="utf-16")
    refused = tmp_path / "refused.csv"
    call_command(
        "import_contacts",
        str(file),
        *("--map", "Seats=seats:number", "--map", "x=skip", "--refused", str(refused)),
    )
    shown = capsys.readouterr().out
    assert "created          1" in shown
    assert "refused          1" in shown
    assert "line 3: “many” in “Seats” is no number." in shown
    assert Contact.objects.get().attributes == {"seats": 12}
    with refused.open(encoding="utf-8-sig") as lines:
        assert [row[0] for row in csv.reader(lines)] == ["Line", "3"]
    call_command("import_contacts", str(file), "--dry-run", "--text")
    assert "created          1" in capsys.readouterr().out
    assert Import.objects.count() == 1


def test_the_command_keeps_what_is_known(tmp_path: Path):
    record(Identify({"plan": "pro"}, email="a@x.org"))
    (tmp_path / "people.csv").write_text("email,plan\na@x.org,free\nb@x.org,free\n")
    call_command("import_contacts", str(tmp_path / "people.csv"), "--keep", "plan")
    plans = dict(Contact.objects.values_list("email", "attributes__plan"))
    assert plans == {"a@x.org": "pro", "b@x.org": "free"}


def test_the_command_adds_everybody_to_a_static_segment(tmp_path: Path):
    vip = segments.make("VIP")
    (tmp_path / "people.csv").write_text("email\na@x.org\nb@x.org\n")
    call_command("import_contacts", str(tmp_path / "people.csv"), "--segment", vip.slug)
    assert segments.members(vip, NOW).count() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.csv"], "No such file"),
        (["empty.csv"], "empty"),
        (["people.csv", "--map", "nope=x"], "no column “nope”"),
        (["people.csv", "--map", "plan=plan:what"], "“what” is none of"),
        (["people.csv", "--map", "external_id=skip", "--map", "email=skip"], "must be the user id"),
        (["people.csv", "--segment", "nope"], "no static segment"),
        (["people.csv", "--keep", "nope"], "--keep nope: no such column"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], message: str, tmp_path: Path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(CommandError, match=message):
        call_command("import_contacts", str(tmp_path / arguments[0]), *arguments[1:])
    assert not Import.objects.exists()
