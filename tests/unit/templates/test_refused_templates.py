"""A template that could fail or harm is refused when it is saved, with place and likeliest fix."""

from __future__ import annotations

import pytest

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.mail import MailTemplates


def refusal(template: str, content_type: str = "text/plain") -> str:
    with pytest.raises(InvalidArgument) as caught:
        compile_body(template, content_type)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "place", "advice"),
    [
        ('{"a":"{{event.sevrity}}"}', "line 1, column 15 (/a)", "did you mean event.severity?"),
        ('{\n "x/y": ["", "sevrity {{ event.sevrity }}"]\n}', "line 2, column 32 (/x~1y/1)", ""),
        (r'{"a":"\u00e9\n\ud83d\ude00\"{{ event.typ }}"}', "line 1, column 38", "event.type?"),
        ('{"a":{{event.severity}}}', "line 1, column 7", 'in quotes: "{{event.severity}}"'),
        ('{"a":{% if x %}}', "line 1, column 7", "inside a string"),
        ('{\n"a":"{{ event.labels["k"] }}"}', "line 2, column 23", "single quotes"),
        ('{"a":1,}', "line 1, column 8", "remove the comma"),
        ("{'a':1}", "line 1, column 2", "double quotes"),
        ('{"a":1 "b":2}', "line 1, column 8", "comma"),
        ('{"a":"x\ny"}', "line 1, column 8", r"\n"),
        ('{"a": NaN}', "line 1, column 7", "in quotes"),
        ('{"a": 1e999}', "line 1, column 7", "in quotes"),
        ('{"a":1,"a":2}', "line 1, column 3", "leave one out"),
        ('{"{{event.type}}":1}', "line 1, column 3", "in a value"),
    ],
)
def test_a_fault_in_a_json_template_names_its_place(template: str, place: str, advice: str) -> None:
    message = refusal(template, "application/json")
    assert place in message
    assert advice in message


@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("{{ severity }}", "did you mean event.severity?"),
        ("{{ evnt.type }}", "did you mean event?"),
        ("{{ zzz }}", "there are: digest, event"),
        ("{{ event.__class__ }}", "there are: actor"),
        ("{{ event.type.upper }}", "write {{ event.type }}"),
        ("{{ event.type|uper }}", "did you mean upper?"),
        ("{{ event.type|attr('x') }}", "no filter attr"),
        ("{{ event.type|safe }}", "always escaped"),
        ("{{ event.type|center(300000000) }}", "no filter center"),
        ("{{ event.type|truncate }}", "truncate(200)"),
        ("{{ event.type|truncate(length=9) }}", "truncate(200)"),
        ("{{ event.type|truncate(99999999) }}", "from 1 to 65536"),
        ("{{ event.type|truncate(event.actor) }}", "from 1 to 65536"),
        ("{{ event.type|indent(1000) }}", "from 0 to 40"),
        ("{{ event.type|replace('', 'x') }}", "1 to 200 characters"),
        ("{{ event.labels|upper }}", "upper takes a text"),
        ("{{ event.labels|default('x') }}", "both must be of one kind"),
        ("{{ event.labels.a-b }}", "event.labels['a-b']"),
        ("{{ event.labels.items() }}", "|dictsort"),
        ("{{ lipsum(100000) }}", "nothing can be called"),
        ("{{ '%300000000d' % 1 }}", "do not calculate"),
        ("{{ 'a' * 300000000 }}", "do not calculate"),
        ("{{ 'a' + event.type }}", "join texts with ~"),
        ("{{ event.groups[0] }}", "|first"),
        ("{{ event.type[1:] }}", "quoted name"),
        ("{{ event.type is defined }}", "{% if event.labels.KEY %}"),
        ("{{ [1] }}", "only for in"),
        ("{{ none }}", 'an empty text is ""'),
        ("{% set a = 1 %}", "{% if %}"),
        ("{% include 'x' %}", "{% include %} is not available"),
        ("{% macro m() %}{% endmacro %}", "{% macro %} is not available"),
        ("{% for a in event.groups %}{% endfor %}", "loops are for mail"),
        ("{% iff event.type %}", "did you mean {% if %}?"),
        ("{% if event.type %}", "{% endif %}"),
        ("{{ event.type", "close {{ with }}"),
        ("{{ event.type }", "{{ event.FIELD }}"),
        ("{% if event.severity == 'eror' %}{% endif %}", "did you mean 'error'?"),
        ("{% if event.severity in ['Error'] %}{% endif %}", "did you mean 'error'?"),
        ("{% if event.severity >= event.type %}{% endif %}", "compared with a severity"),
        ("{% if event.labels.n >= 5 %}{% endif %}", "event.labels.n|int"),
        ("{% if event.labels.n == 5 %}{% endif %}", "in quotes"),
        ("{% if 1 < suppressed < 3 %}{% endif %}", "with and"),
        ("{% if 5 in event.summary %}{% endif %}", "looks for a text"),
        ("{% if event.type in [event.actor] %}{% endif %}", "quoted texts"),
        ("{{" + "(" * 5000, "nested too deeply"),
        ("{{ " + "not " * 500 + "event.type }}", "nested too deeply"),
        ("{{ event.type" + "|upper" * 500 + " }}", "nested too deeply"),
        ("{% if event.type %}" * 100 + "{% endif %}" * 100, "nested too deeply"),
        ("{{ 1" + "0" * 5000 + " }}", "nested too deeply"),
        ("{{ 1e999 }}", "not a value"),
        ("x" * 65537, "longer than 64 KiB"),
    ],
)
def test_what_a_template_may_not_have_is_refused_with_advice(template: str, advice: str) -> None:
    assert advice in refusal(template)


@pytest.mark.parametrize("depth", [60, 20_000])
def test_json_nested_too_deeply_is_refused(depth: int) -> None:
    assert "deep" in refusal("[" * depth + '"{{event.type}}"' + "]" * depth, "application/json")


def test_a_body_of_an_unknown_type_is_refused_with_the_known_ones() -> None:
    assert "application/x-www-form-urlencoded" in refusal("a", "text/csv")


def test_another_character_set_is_refused() -> None:
    assert "UTF-8" in refusal("a", "text/plain; charset=latin-1")


def test_a_type_without_a_standard_payload_needs_a_template() -> None:
    assert "needs a template" in refusal(" ", "text/plain")


@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("{% for k in event.labels|dictsort %}{% endfor %}", "for key, value in"),
        ("{% for k, v in event.labels %}{% endfor %}", "for key, value in"),
        ("{% for k in event.type %}{% endfor %}", "a list or a map"),
        ("{% for event in rows %}{% endfor %}", "taken"),
        ("{% for r in rows if r.type %}{% endfor %}", "inside it"),
        ("{% for r in rows %}{{ r.typ }}{% endfor %}", "did you mean r.type?"),
        ("{{ event.labels|dictsort|first }}", "a pair"),
        ("{% for a in rows %}{% for b in rows %}{% for c in rows %}", "endfor"),
        (
            "{% for a in rows %}{% for b in rows %}{% for c in rows %}"
            "{% endfor %}{% endfor %}{% endfor %}",
            "2 deep",
        ),
    ],
)
def test_a_loop_that_does_not_fit_is_refused_with_advice(template: str, advice: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        MailTemplates.compile(text=template)
    assert advice in str(caught.value)
    assert str(caught.value).startswith("text: line 1, column ")


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("<p>\n<a href={{ event.type }}>", "line 2, column 9: an expression may not stand in an a"),
        ("<script>var a = '{{ event.type }}'</script>", "<script>"),
        ("<style>p { color: {{ event.type }} }</style>", "<style>"),
        ('<p style="color: {{ event.type }}">', "attribute style"),
        ('<p onclick="f({{ event.type }})">', "attribute onclick"),
        ('<a href="{{ event.task_url }}">', "event.task_url|link"),
        ("<a {{ event.type }}>", "attribute"),
        ("<{{ event.type }}>", ""),
        ("<!-- {{ event.type }} -->", "comment"),
    ],
)
def test_html_that_escaping_would_not_protect_is_refused(template: str, place: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        MailTemplates.compile(html=template)
    assert place in str(caught.value)
