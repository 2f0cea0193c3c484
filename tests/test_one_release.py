"""What the older Home Assistant leaves out reaches nothing of it that other tests do not reach."""

from script.one_release import Place, cheapest, contacts, reached

SOURCE = '''
"""A module."""
from homeassistant.components import mqtt
import probatio as vol

from .ours import async_ours

NUMBER = vol.Number()


def called_by_home_assistant(self):
    """Start at what is no docstring."""
    return self.number + helper(1)


def helper(number):
    return number


async def async_step(
    hass,
):
    await async_ours(NUMBER)
    await self.async_step()
    await (
        self
        .async_theirs()
    )
    mqtt.publish(hass, "a")
    mqtt.publish(hass, NUMBER)
    mqtt.publish(hass, "a", qos=1)
'''


def test_lines_that_meet_home_assistant() -> None:
    lines = SOURCE.splitlines()
    met = sorted(lines[place.line - 1].strip() for place in contacts({"a.py": SOURCE}))
    assert met == [
        ".async_theirs()",
        'mqtt.publish(hass, "a")',
        'mqtt.publish(hass, "a", qos=1)',
        "mqtt.publish(hass, NUMBER)",
        "return self.number + helper(1)",
    ]


def test_the_same_question_with_other_keywords_is_another() -> None:
    met = contacts({"a.py": SOURCE})
    asked = [met[place] for place in sorted(met) if place.line > 20]
    assert asked == [
        {"self.async_theirs(0)"},
        {"mqtt.publish(2)", "hass"},
        {"mqtt.publish(2)", "hass"},
        {"mqtt.publish(2, qos)", "hass"},
    ]


def test_a_function_that_another_module_names_is_ours() -> None:
    other = "def f():\n    return called_by_home_assistant"
    both = {"a.py": SOURCE, "b.py": other}
    assert len(contacts({"a.py": SOURCE})) == 1 + len(
        {place for place in contacts(both) if place.path == "a.py"}
    )


def test_lines_that_were_not_run_reach_nothing() -> None:
    met = {Place("a", 2): {"x", "y"}, Place("a", 4): {"y", "z"}, Place("b", 2): {"q"}}
    assert reached([Place("a", 1), Place("a", 4)], met) == {"y", "z"}


def test_the_cheapest_that_reach_everything_are_chosen() -> None:
    a, b, c = "abc"
    found = {
        "nothing": set[str](),
        "dear": {a, b, c},
        "first": {a},
        "second": {b},
        "third": {c},
        "fourth": {c},
    }
    seconds = dict.fromkeys(found, 1.0) | {"nothing": 0.1, "fourth": 0.5}
    assert cheapest(found, seconds | {"dear": 9.0}) == ["fourth", "first", "second"]
    assert cheapest(found, seconds | {"dear": 1.4}) == ["dear"]


def test_whom_later_ones_made_superfluous_goes() -> None:
    a, b, c, d = "abcd"
    found = {"both": {a, b}, "left": {a, c}, "right": {b, d}}
    seconds = {"both": 1.0, "left": 1.1, "right": 1.1}
    assert cheapest(found, seconds) == ["left", "right"]
