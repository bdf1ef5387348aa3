"""Templates: what they make of a contact, and what they can't be made to do."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from contacts.models import Contact
from messaging import compiling, plaintext, rendering, sandbox
from messaging.models import Template
from messaging.sandbox import TemplateError
from tests.messaging.conftest import NOW, make_template


def context(event: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    contact = Contact(external_id="u1", email="ann@example.com", attributes=attributes)
    return rendering.context(
        contact,
        now=NOW,
        event=event,
        event_name="order_placed" if event is not None else "",
        journey="welcome",
        unsubscribe_url="https://j.test/u/x/",
        preferences_url="https://j.test/p/x/",
        postal_address="Mail Ltd.\nMain Street 1",
        message_id="m1",
    )


def mail(attributes: dict[str, Any] | None = None, footer: bool = False, **fields: Any) -> Any:
    template = Template(**({"subject": "S"} | fields))
    template.compiled_html = rendering.compile_html(mjml=template.mjml, markdown=template.markdown)
    return rendering.render(template, context(**(attributes or {})), footer=footer)


class TestValues:
    def test_contact_event_and_the_rest(self) -> None:
        source = (
            "{{ contact.email }} {{ contact.name }} {{ contact.address.city }} {{ event.name }} "
            "{{ event.cart_id }} {{ event.properties.cart_id }} {{ journey }} {{ message.id }} "
            "{{ now | date: '%Y-%m-%d' }} {{ 'now' | date: '%H' }}"
        )
        values = context({"cart_id": 7}, name="Ann", address={"city": "Graz"})
        assert sandbox.render(source, values, escape=False) == (
            "ann@example.com Ann Graz order_placed 7 7 welcome m1 2026-03-01 09"
        )

    def test_own_fields_win_over_attributes_of_the_same_name(self) -> None:
        values = context(email="other@example.com")
        assert sandbox.render("{{ contact.email }}", values, escape=False) == "ann@example.com"

    def test_html_is_escaped_and_text_and_subject_are_not(self) -> None:
        found = mail(
            {"name": "<b>A & B</b>"},
            subject="{{ contact.name }}",
            text="{{ contact.name }}",
            html="<p title='{{ contact.name }}'>{{ contact.name }}</p>",
        )
        assert found.subject == "<b>A & B</b>"
        assert found.text == "<b>A & B</b>"
        assert "<p title='&lt;b&gt;A &amp; B&lt;/b&gt;'>" in found.html

    @pytest.mark.parametrize(
        "source",
        [
            "{{ contact.name | append: '!' }}",
            "{{ 'Dear ' | append: contact.name }}",
            "{{ 'x' | replace: 'x', contact.name }}",
            "{{ contact.name | newline_to_br }}",
            "{{ contact.name | split: ',' | join: '<br>' }}",
            "{{ contact.name | escape_once }}",
            "{{ contact.name | strip_newlines }}",
            "{% capture x %}{{ contact.name }}{% endcapture %}{{ x }}",
            "{{ nobody | default: contact.name }}",
            "{{ contact.names }}",
            "{{ contact.name | truncate: 100 }}",
            "{{ contact.name | url_decode }}",
            "{{ contact.coded | base64_decode }}",
            "{{ contact.name | date: '%Y' }}",
        ],
    )
    def test_no_filter_lets_markup_through(self, source: str) -> None:
        evil = "<script>1</script>"
        values = context(name=evil, names=[evil], coded="PHNjcmlwdD4xPC9zY3JpcHQ+")
        assert "<script" not in sandbox.render(source, values, escape=True)

    def test_a_subject_is_one_line_whatever_the_contact_is_called(self) -> None:
        found = mail(
            {"name": "Ann\r\nBcc: all@example.com\u2028x"},
            subject="Hi {{ contact.name }}",
            text="x",
        )
        assert found.subject == "Hi Ann Bcc: all@example.com x"


class TestSandbox:
    @pytest.mark.parametrize(
        "source",
        [
            "{% for i in (1..10000000) %}x{% endfor %}",
            "{% for i in (1..9000) %}" + "{% if true %}{% endif %}" * 5000 + "{% endfor %}",
            "{% assign a = 'aaaaaaaaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 30,
            "{{ 'aaaaaaaaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaa'" * 12 + " }}",
            "{{ 'a' "
            + "| prepend: x" * 30
            + "}}{% assign x = 'a' %}"
            + "{% assign x = x | prepend: x %}" * 30,
            "{{ (1..10000000) | join: ',' }}",
            "{{ (1..5000) | join: '" + "-" * 1000 + "' }}",
            "{{ long | split: '' | size }}",
            "{% assign n = 99999999999 %}" + "{% assign n = n | times: n %}" * 20,
            "{% capture a %}{% for i in (1..9000) %}" + "x" * 500 + "{% endfor %}{% endcapture %}",
            "{% for i in (1..9000) %}{{ long | strip_html | upcase }}{% endfor %}",
            "{% if 1 %}" * 40 + "{% endif %}" * 40,
            "x" * (300 * 1024),
        ],
        ids=lambda source: source[:40],
    )
    def test_what_would_run_or_grow_without_end_is_stopped(self, source: str) -> None:
        started = time.monotonic()
        with pytest.raises(TemplateError):
            sandbox.render(source, {"long": "<" * 150_000}, escape=False)
        assert time.monotonic() - started < 60  # and not hours

    @pytest.mark.parametrize("tag", ["include", "render"])
    def test_no_file_is_read(self, tag: str) -> None:
        [problem] = sandbox.check(f"a\n{{% {tag} '/etc/passwd' %}}")
        assert problem.line == 2

    def test_escaping_can_not_be_switched_off(self) -> None:
        assert "There is no filter “safe”" in str(sandbox.check("{{ contact.name | safe }}")[0])

    @pytest.mark.parametrize(
        "source",
        [
            "{{ x | round }}", "{{ x | sum }}", "{{ x | sort }}", "{{ x | slice: 'a' }}",
            "{{ x | divided_by: 0 }}", "{{ x | modulo: 0 }}", "{{ x | where: 'a' }}",
            "{{ x | date: x }}", "{{ x | truncate: x }}", "{{ x | map: 'q' | first }}",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "x", [None, True, 1, 1e308, float("nan"), "a", "", "9" * 5000, [1, "x", {}], {"a": 1}]
    )
    def test_a_filter_that_gets_the_wrong_thing_never_raises_anything_else(
        self, source: str, x: Any
    ) -> None:
        with contextlib.suppress(TemplateError):
            sandbox.render(source, {"x": x}, escape=True)


class TestCheck:
    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("a\n{{ x", "Line 2: A “{{” is not closed by “}}”."),
            ("\n\n{% if x %}\n", "Line 3: “{% if %}” is not closed by “{% endif %}”."),
            ("{% if x %}\n{% for a in b %}\n{% endfor %}", "Line 1: “{% if %}” is not closed"),
            ("a\n{% foo %}", "Line 2: “{% foo %}” is unknown or does not belong here."),
            ("a\n\n{{ now | foo }}", "Line 3: There is no filter “foo”."),
        ],
    )
    def test_parse_errors_name_their_line(self, source: str, words: str) -> None:
        [problem] = rendering.check({"subject": "S", "text": source})
        assert problem.place == "text"
        assert problem.message.startswith(words)

    def test_all_fields_are_reported_together(self) -> None:
        found = rendering.check({"subject": "{{", "text": "{% if %}", "html": "{{ x | foo }}"})
        assert {problem.place for problem in found if problem.level == "error"} == {
            "subject", "text", "html",
        }  # fmt: skip

    def test_a_template_has_a_subject_and_content(self) -> None:
        assert [p.place for p in rendering.check({})] == ["subject", "text"]

    def test_a_name_nobody_fills_is_a_warning(self) -> None:
        [problem] = rendering.check({"subject": "S", "text": "{{ first_name }}"})
        assert (problem.place, problem.level) == ("text", "warning")

    def test_mjml_that_is_not_balanced_names_the_line(self) -> None:
        [problem] = rendering.check(
            {"subject": "S", "mjml": "<mjml><mj-body>\n<mj-section>\n</mj-body></mjml>"}
        )
        assert problem.message == "Line 3: </mj-body> closes nothing that is open there."

    @pytest.mark.parametrize(
        ("mjml", "words"),
        [
            ("hello", "begins with <mjml>"),
            ("<mjml><mj-head></mj-head></mjml>", "no <mj-body>"),
            ("<mjml><mj-body><mj-foo></mj-foo></mj-body></mjml>", "no element <mj-foo>"),
            ("<mjml><mj-body><mj-include path='/x'/></mj-body></mjml>", "can't be compiled"),
        ],
    )  # fmt: skip
    def test_mjml_that_is_wrong_is_explained(self, mjml: str, words: str) -> None:
        [problem] = rendering.check({"subject": "S", "mjml": mjml})
        assert words in problem.message

    def test_the_form_shows_problems_at_their_fields(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Template(slug="a", name="A", subject="{{", text="{% if x %}").clean()
        assert set(caught.value.message_dict) == {"subject", "text"}

    def test_variables_are_what_it_reads_and_does_not_set(self) -> None:
        source = (
            "{% assign z = contact.first_name %}{{ z }} {{ contact.a.b[0] }}"
            "{% for i in event.lines %}{{ i.name }}{{ forloop.index }}{% endfor %}"
            "{% if contact.vip %}{{ event.total | plus: event.tip }}{% endif %}"
        )
        assert rendering.variables(source) == {
            "contact.first_name", "contact.a.b", "event.lines", "contact.vip", "event.total",
            "event.tip",
        }  # fmt: skip
        assert rendering.variables("{% if") == set()


MJML = """<mjml><mj-head><mj-title>For {{ contact.name }}</mj-title></mj-head><mj-body>
<mj-section><mj-column>
{% for line in event.lines %}
<mj-text>{{ line.name | append: " <i>" }} &amp;
{% if line.price < 3 and line.price > 1 %}cheap{% endif %}</mj-text>
{% endfor %}
<mj-button href="https://s.test/?a={{ contact.id | url_encode }}&amp;b=2">
Go "{{ contact.name }}"</mj-button>
</mj-column></mj-section></mj-body></mjml>"""


class TestSources:
    def test_the_mjml_compiler_leaves_liquid_alone(self) -> None:
        compiled = compiling.from_mjml(MJML)
        for piece in compiling.LIQUID.findall(MJML):
            assert piece in compiled
        event = {"lines": [{"name": "Tea", "price": 2}, {"name": "Cup", "price": 9}]}
        html = sandbox.render(compiled, context(event, name="Ann", id="a b"), escape=True)
        assert html.count("Tea") == html.count("Cup") == html.count("cheap") == 1
        assert "https://s.test/?a=a+b&amp;b=2" in html
        assert "LQ" not in html

    def test_markdown_gets_a_layout_and_lists_by_loop_are_one_list(self) -> None:
        source = (
            "# Hello {{ contact.name }}\n\n"
            "{% if contact.vip %}\nYou are **special**.\n{% endif %}\n\n"
            "{% for line in event.lines %}\n- {{ line }}\n{% endfor %}\n\n"
            "[Go](https://s.test/?q={{ contact.name | url_encode }}){.button}"
        )
        html = sandbox.render(
            compiling.from_markdown(source),
            context({"lines": ["a", "b"]}, name="A B", vip=True),
            escape=True,
        )
        assert "<h1>Hello A B</h1>" in html
        assert "<strong>special</strong>" in html
        assert html.count("<ul>") == 1
        assert html.count("<li>") == 2
        assert '<a class="button" href="https://s.test/?q=A+B">Go</a>' in html
        assert 'name="viewport"' in html

    @pytest.mark.django_db
    def test_compiling_happens_when_the_template_is_saved(self) -> None:
        template = make_template(text="", mjml=MJML)
        assert "<html" in template.compiled_html
        Template.objects.filter(pk=template.pk).update(mjml="")
        assert "Tea" in mail_of(Template.objects.get(pk=template.pk))
        template.mjml = ""
        template.markdown = "*hi*"
        template.save(update_fields=["mjml", "markdown"])
        template.refresh_from_db()
        assert "<em>hi</em>" in template.compiled_html

    def test_a_template_that_was_never_saved_one_by_one_is_compiled_all_the_same(self) -> None:
        assert "<em>hi</em>" in rendering.render(Template(markdown="*hi*"), context()).html
        with pytest.raises(TemplateError, match="is not closed"):
            rendering.render(Template(mjml="<mjml><mj-body>"), context())

    @pytest.mark.parametrize("fields", [{"text": "{% if contact.vip %}x{% endif %}"}, {}])
    def test_an_empty_mail_is_an_error(self, fields: dict[str, str]) -> None:
        with pytest.raises(TemplateError, match="empty"):
            mail(**fields)

    def test_html_alone_brings_a_text_and_text_alone_stays_text(self) -> None:
        assert mail(html="<h1>Hi</h1><p>Read <a href='https://a.test/'>this</a>.</p>").text == (
            "Hi\n\nRead this (https://a.test/).\n"
        )
        assert mail(text="Hi").html == ""


def mail_of(template: Template) -> str:
    return rendering.render(template, context({"lines": [{"name": "Tea", "price": 2}]})).html


class TestPlaintext:
    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<p>a</p><p>b</p>", "a\n\nb\n"),
            ("a<br>b", "a\nb\n"),
            ("<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>", "- a\n- b\n  1. c\n"),
            ("<a href='mailto:a@b.c'>a@b.c</a>", "a@b.c\n"),
            ("<a href='https://x.test'><img alt='Logo' src='y'></a>", "Logo (https://x.test)\n"),
            ("<head><style>p{}</style><title>T</title></head><p>a &amp; b&nbsp;c</p>", "a & b c\n"),
            ("<!-- no --><!--[if mso]><p>no</p><![endif]--><p>yes</p>", "yes\n"),
            ("<div style='display: none'>no<br>no</div>yes", "yes\n"),
            ("<pre>a\n  b</pre>", "a\n  b\n"),
            ("<table><tr><td>a</td><td>b</td></tr></table>", "a b\n"),
            ("<p title='a > b'>x</p>", "x\n"),
            ("1 < 2 and <3", "1 < 2 and <3\n"),
        ],
    )
    def test_from_html(self, html: str, text: str) -> None:
        assert plaintext.from_html(html) == text

    @pytest.mark.parametrize(
        "html", ["<" * 200_000, "<a " * 60_000, "<!--" * 50_000, "<a '" * 50_000, "<p>" * 60_000]
    )
    def test_no_mail_takes_long(self, html: str) -> None:
        started = time.monotonic()
        plaintext.from_html(html)
        assert time.monotonic() - started < 60  # and not hours


class TestFooter:
    def test_marketing_mail_shows_the_link_and_the_address_in_both_parts(self) -> None:
        found = mail(footer=True, text="Hi", html="<html><body><p>Hi</p></body></html>")
        assert found.text.endswith(
            "—\nMail Ltd.\nMain Street 1\nUnsubscribe: https://j.test/u/x/\n"
        )
        assert "Mail Ltd.<br>Main Street 1" in found.html
        assert found.html.index("https://j.test/u/x/") < found.html.index("</body>")

    def test_what_the_template_shows_itself_is_not_shown_twice(self) -> None:
        own = "{{ postal_address }} {{ unsubscribe_url }}"
        found = mail(footer=True, text=own, html=f"<p>{own}</p>")
        assert found.text == "Mail Ltd.\nMain Street 1 https://j.test/u/x/"
        assert found.html.count("https://j.test/u/x/") == found.html.count("Mail Ltd.") == 1

    def test_transactional_mail_has_none(self) -> None:
        assert mail(text="Hi").text == "Hi"
