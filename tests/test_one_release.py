"""What the older Home Assistant leaves out reaches nothing of it that other tests do not reach."""

from script.one_release import Place, Step, cheapest, contacts, reached

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
'''


def test_lines_that_meet_home_assistant() -> None:
    lines = SOURCE.splitlines()
    met = sorted(lines[place.line - 1].strip() for place in contacts({"a.py": SOURCE}))
    assert met == [
        ".async_theirs()",
        'mqtt.publish(hass, "a")',
        "return self.number + helper(1)",
    ]


def test_a_function_that_another_module_names_is_ours() -> None:
    other = "def f():\n    return called_by_home_assistant"
    both = {"a.py": SOURCE, "b.py": other}
    assert len(contacts({"a.py": SOURCE})) == 1 + len(
        {place for place in contacts(both) if place.path == "a.py"}
    )


def test_what_follows_upon_such_a_line_counts() -> None:
    steps = [Step("a", 1, 2), Step("a", 2, 3), Step("a", 3, 4), Step("a", 4, -1)]
    places = reached(steps, {Place("a", 2), Place("a", 4)})
    assert places == {Place("a", 2), Place("a", 3), Place("a", 4)}


def test_the_cheapest_that_reach_everything_are_chosen() -> None:
    a, b, c = (Place("a", line) for line in (1, 2, 3))
    found = {
        "nothing": set[Place](),
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
    a, b, c, d = (Place("a", line) for line in range(4))
    found = {"both": {a, b}, "left": {a, c}, "right": {b, d}}
    seconds = {"both": 1.0, "left": 1.1, "right": 1.1}
    assert cheapest(found, seconds) == ["left", "right"]
