"""JSON in the forms in which it is pasted."""

import json

import pytest

from custom_components.openbk.pyopenbk.pasted_json import load_object

PLAIN = {
    "pins": {"26": "Rel;1", "11": "Btn;1"},
    "wiki": "https://example.org/a//b /* c */",
    "name": 'a "quoted", }, \\ name',
}
TEXT = json.dumps(PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "\ufeff" + TEXT,
        f"  my plug:\n```json\n{TEXT}\n```\nworks",
        json.dumps(PLAIN, indent=4).replace("\n", "\r\n"),
        TEXT.replace("}, ", "},}, ", 1)
        .replace("},},", "},", 1)
        .replace('"Btn;1"}', '"Btn;1", }'),
        TEXT[:-1] + ",}",
        TEXT[:-1] + " , \n }",
        "{ // my plug\n" + TEXT[1:],
        TEXT[:-1] + "// the end\n}",
        "{ /* my\nplug */" + TEXT[1:],
        TEXT[:-1] + ", // the end\n}",
        TEXT.replace("Rel;1", "Rel;1\u200b"),
    ],
    ids=range(12),
)
def test_what_is_around_and_between_does_not_count(text: str) -> None:
    assert load_object(text) == PLAIN


@pytest.mark.parametrize(("left", "right"), ["“”", "„“", "””", "«»", "''", "＂＂"])
def test_typographic_quotes_are_quotes(left: str, right: str) -> None:
    text = "{'pins': {'26': 'Rel;1',}} // mine"
    for word in ("pins", "26", "Rel;1"):
        text = text.replace(f"'{word}'", f"{left}{word}{right}")
    assert load_object(text) == {"pins": {"26": "Rel;1"}}


def test_what_a_tool_in_python_prints_is_read() -> None:
    text = "read: {'user_param_key': {'rl1_pin': 26, 'on': True, 'of': [None, False]}}"
    assert load_object(text) == {
        "user_param_key": {"rl1_pin": 26, "on": True, "of": [None, False]}
    }
    assert load_object("{'name': 'None of it', 'on': True}")["name"] == "None of it"


def test_quotes_inside_of_a_text_stay() -> None:
    assert load_object('{"name": "15” plug, it\'s mine"}') == {
        "name": "15” plug, it's mine"
    }


def test_line_breaks_inside_of_a_text_are_forgiven() -> None:
    assert load_object('{"command": "a\nb"}') == {"command": "a\nb"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "}{",
        "{",
        "[1, 2]",
        "{" * 30_000 + "}" * 30_000,
        "[" * 60_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        "{" + " " * 70_000 + "}",
        "{" + '"' * 40_000 + "}",
        "{" + "/*" * 30_000 + "}",
        '{"a": ' + "9" * 5000 + "}",
    ],
    ids=lambda text: f"{text[:6]!r} {len(text)}",
)
def test_other_texts_are_refused_in_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="JSON|long"):
        load_object(text)
