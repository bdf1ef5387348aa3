"""The field, the widget and the pages of the condition editor, without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client

from contacts import headcount as counting
from contacts.admin.condition_editor import ConditionField, ConditionWidget, row_of
from contacts.conditions import Scope, parse
from contacts.headcount import Headcount, at_most, headcount
from contacts.models import AttributeName, Contact, EventName, Segment
from tests.contacts.conftest import NOW

PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
pytestmark = pytest.mark.django_db


class Form(forms.Form):
    """One condition, which may be missing."""

    condition = ConditionField(required=False)


def errors(data: Any, **options: Any) -> list[str]:
    """What the field says about a condition."""
    try:
        ConditionField(**options).clean(data if isinstance(data, str) else json.dumps(data))
    except forms.ValidationError as error:
        return error.messages
    return []


class TestField:
    def test_it_gives_the_condition_as_data(self) -> None:
        form = Form({"condition": json.dumps(PRO)})
        assert form.is_valid()
        assert form.cleaned_data["condition"] == PRO

    def test_nothing_is_none(self) -> None:
        for nothing in ("", "  ", "null"):
            form = Form({"condition": nothing})
            assert form.is_valid()
            assert form.cleaned_data["condition"] is None

    def test_all_problems_are_said_with_their_rows(self) -> None:
        said = errors({"all": [PRO, {"any": [{"attribute": "a", "op": "eq"}]}, {"segment": "no"}]})
        assert said == ["Row 2.1: “eq” needs a value.", "Row 3: There is no segment “no”."]

    def test_what_is_not_json_is_refused_and_shown_again(self) -> None:
        form = Form({"condition": '{"all": ['})
        assert not form.is_valid()
        assert "{&quot;all&quot;: [" in str(form["condition"])

    def test_too_deep_is_said(self) -> None:
        assert errors('{"not":' * 5000 + "1" + "}" * 5000) == ["This is nested too deep."]
        assert len(errors('{"not":' * 40 + json.dumps(PRO) + "}" * 40)) == 1

    def test_the_scope_decides_what_may_stand(self) -> None:
        message = {"message": "hello", "did": "opened"}
        assert errors(message)
        assert not errors(message, scope=Scope(enrollment=True))

    def test_a_circle_of_segments_is_refused(self) -> None:
        """C5."""
        Segment.objects.create(slug="a", name="A", condition={"segment": "b"})
        Segment.objects.create(slug="b", name="B", condition=PRO)
        field = ConditionField()
        field.for_segment("b")
        with pytest.raises(forms.ValidationError, match="circle"):
            field.clean('{"segment": "a"}')

    def test_what_was_sent_is_shown_as_it_was(self) -> None:
        text = '{"attribute": "a", "op": "eq", "value": 1.0e2}'
        assert Form({"condition": text})["condition"].value() == text

    def test_an_unchanged_condition_has_not_changed(self) -> None:
        form = Form({"condition": json.dumps(PRO, indent=3)}, initial={"condition": PRO})
        assert not form.has_changed()


def test_the_row_of_a_place() -> None:
    assert row_of("all[1].any[0].op") == "2.1"
    assert row_of("value") == ""


def test_without_a_script_the_widget_is_a_textarea() -> None:
    widget = ConditionWidget(scope=Scope(enrollment=True), nodes={"n": "</textarea><script>"})
    html = widget.render("condition", '{"a": "</textarea>"}', {"id": "id_condition"})
    assert html.count("<textarea") == html.count("</textarea>") == 1
    assert "<script" not in html
    assert "condition_editor.js" in str(widget.media)
    assert 'type="module"' in str(widget.media)


# --- the pages ------------------------------------------------------------------------------------


def staff(*codenames: str) -> Client:
    """A browser in which somebody with these permissions is signed in."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def ask(client: Client, page: str, value: Any, **more: Any) -> dict[str, Any]:
    """The answer of a page about a condition."""
    body = {"value": value if isinstance(value, str) else json.dumps(value), **more}
    response = client.post(f"/conditions/{page}/", body, content_type="application/json")
    assert response.status_code == 200, response.status_code
    return dict(response.json())


class TestPages:
    @pytest.mark.parametrize("page", ["names", "properties", "values", "check", "count"])
    def test_they_are_for_staff(self, page: str, client: Client) -> None:
        assert client.get(f"/conditions/{page}/").status_code == 302
        assert client.post(f"/conditions/{page}/").status_code == 302

    def test_a_count_needs_the_permission_to_see_contacts(self) -> None:
        response = staff().post("/conditions/count/", {}, content_type="application/json")
        assert response.status_code == 403

    def test_a_page_takes_one_method(self) -> None:
        client = staff()
        assert client.get("/conditions/check/").status_code == 405
        assert client.post("/conditions/names/").status_code == 405

    def test_names_come_from_the_catalogue(self) -> None:
        AttributeName.objects.create(
            name="plan", types=["text"], first_seen_at=NOW, last_seen_at=NOW
        )
        EventName.objects.create(
            name="bought", properties={"total": ["number"]}, first_seen_at=NOW, last_seen_at=NOW
        )
        Segment.objects.create(slug="s", name="Some")
        client = staff()
        names = client.get("/conditions/names/").json()
        assert names["attributes"] == [{"name": "plan", "types": ["text"]}]
        assert names["events"] == ["bought"]
        picks = {pick["form"]: pick for pick in names["picks"]}
        assert picks["segment"]["choices"] == [["s", "Some"]]
        assert picks["subscribed"]["choices"] == []
        assert picks["message"]["choices"] is None
        seen = client.get("/conditions/properties/", {"event": "bought"}).json()
        assert seen == {"properties": {"total": ["number"]}}
        assert client.get("/conditions/properties/?event=no").json() == {"properties": {}}

    def test_a_condition_in_words(self) -> None:
        answer = ask(staff(), "check", PRO)
        assert answer == {"words": "plan is pro", "problems": []}

    def test_problems_with_their_places(self) -> None:
        answer = ask(staff(), "check", {"all": [{"segment": "no"}]})
        assert answer["words"] == ""
        assert [problem["place"] for problem in answer["problems"]] == ["all[0].segment"]

    def test_where_alone(self) -> None:
        where = [{"property": "total", "op": "gt", "value": {"trigger": "total"}}]
        client = staff()
        assert ask(client, "check", where, where=True)["problems"]
        answer = ask(client, "check", where, where=True, scope={"trigger": "bought"})
        assert answer["words"] == "total is more than the starting event’s total"
        assert ask(client, "check", [], where=True) == {"words": "", "problems": []}

    @pytest.mark.parametrize("value", ["", "{", "[" * 90_000, "null", "3", '"\\ud800"', "NaN"])
    def test_whatever_is_sent_is_answered(self, value: str) -> None:
        client = staff("view_contact")
        for page in ("check", "count"):
            for where in (True, False):
                assert ask(client, page, value, where=where)["words"] == ""

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"value": 1, "scope": 3}', b"\xff"])
    def test_whatever_body_is_sent_is_answered(self, body: bytes) -> None:
        client = staff("view_contact")
        for page in ("check", "count"):
            response = client.post(f"/conditions/{page}/", body, content_type="application/json")
            assert response.status_code == 200

    def test_the_number_that_matches(self) -> None:
        for plan in ("pro", "pro", "team"):
            Contact.objects.create(attributes={"plan": plan})
        answer = ask(staff("view_contact"), "count", PRO)
        assert (answer["count"], answer["total"]) == (2, 3)
        assert answer["words"] == "2 contacts match now."

    def test_no_number_where_it_depends_on_the_enrollment(self) -> None:
        client = staff("view_contact")
        assert ask(client, "count", PRO, scope={"enrollment": True}) == {"words": ""}
        term = {"property": "a", "op": "eq", "value": {"trigger": "a"}}
        answer = ask(client, "count", {"event": "e", "where": [term]}, scope={"trigger": True})
        assert "count" not in answer
        assert "event" in answer["words"]


# --- counting in bounded time ---------------------------------------------------------------------


def slow_query(seconds: float) -> None:
    """A query that takes long and is stopped."""
    sql = (
        "SELECT pg_sleep(30)"
        if connection.vendor == "postgresql"
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    with at_most(seconds), connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()


def test_a_slow_query_is_stopped_and_the_connection_goes_on() -> None:
    with pytest.raises(OperationalError):
        slow_query(0.05)
    with at_most(1):
        assert Contact.objects.count() == 0
    assert Contact.objects.count() == 0


def test_when_the_exact_count_takes_too_long_a_sample_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Contact.objects.bulk_create(
        Contact(attributes={"plan": "pro" if n % 4 == 0 else "team"}) for n in range(400)
    )
    condition = parse(PRO)
    assert headcount(condition, NOW) == Headcount(100, 400)
    real, calls = counting.at_most, []

    def impatient(seconds: float) -> Any:
        calls.append(seconds)
        if len(calls) == 1:
            raise OperationalError("stopped")
        return real(seconds)

    monkeypatch.setattr(counting, "at_most", impatient)
    monkeypatch.setattr(counting, "SAMPLE", 200)
    found = headcount(condition, NOW)
    assert not found.exact
    assert found.count is not None
    assert 60 <= found.count <= 150
    percent = 100 * found.count / (found.total or 1)
    assert found.words().startswith(f"About {found.count} contacts match now, {percent:.0f}% of")
    assert "estimate from 200 of them" in found.words()
    # Where contacts are gone, fewer are among the ids that were drawn.
    gone = Contact.objects.order_by("pk").values_list("pk", flat=True)[1:150]
    Contact.objects.filter(pk__in=list(gone)).delete()
    calls.clear()
    found = headcount(condition, NOW)
    assert not found.exact
    assert 60 <= found.judged < 200
    assert f"estimate from {found.judged} of them" in found.words()
    # Where there are no more than are judged, that is no estimate.
    monkeypatch.setattr(counting, "SAMPLE", 251)
    calls.clear()
    found = headcount(condition, NOW)
    assert (found.exact, found.total) == (True, 251)
    assert found.count == Contact.objects.filter(attributes__plan="pro").count()


def test_when_even_the_sample_takes_too_long_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(seconds: float) -> Any:
        raise OperationalError("stopped")

    monkeypatch.setattr(counting, "at_most", stopped)
    assert "too long" in headcount(parse(PRO), NOW).words()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Headcount(0, 9), "0 contacts match now."),
        (Headcount(1, 9), "1 contact matches now."),
        (Headcount(12345, 99999), "12,345 contacts match now, 12% of all."),
        (Headcount(3, 99999), "3 contacts match now, less than 1% of all."),
        (Headcount(None, None, exact=False), "Counting takes too long here."),
        (Headcount(180_000, 1_000_000, exact=False, sampled=360),
         "About 180,000 contacts match now, 18% of all."),
        (Headcount(0, 1_000_000, exact=False), "Fewer than 2,000 contacts match now."),
        (Headcount(2_000, 1_000_000, exact=False, sampled=4),
         "Fewer than 6,000 contacts match now."),
    ],
)  # fmt: skip
def test_the_number_in_words(found: Headcount, words: str) -> None:
    said = found.words()
    assert said.startswith(words)
    assert found.exact == (said == words)
