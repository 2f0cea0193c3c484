"""What the older Home Assistant leaves out asks nothing of it that other tests do not ask."""

from pathlib import Path

from script.one_release import INTEGRATION, Place, cheapest, contacts, reached

SOURCE = '''
"""A module."""
from typing import override
from homeassistant.components import mqtt
import probatio as vol

from .ours import async_ours

NUMBER = vol.Number()


class Entity:
    state = None

    def __init__(self):
        self.number = NUMBER

    def called_by_home_assistant(self):
        """Start at what is no docstring."""
        return self.number + helper(self.state)

    @override
    def named(self):
        return helper(2)

    async def async_step(self, hass):
        await async_ours(self.named)
        await self.async_step()
        await (
            self
            .async_theirs()
        )
        mqtt.publish(hass, "a")
        mqtt.publish(hass, NUMBER)
        mqtt.publish(hass, "b", retain=True, qos=1)
        mqtt.publish(hass, "c", qos=0,
                     retain=False)
        if self.hass.loaded("mqtt"):
            return helper(3)
        elif self.number:
            return helper(4)
        else:
            return super().named(1)


def helper(number):
    return number
'''
MODULE = INTEGRATION / "a.py"


def met(source: str, path: Path = MODULE) -> list[tuple[str, set[str]]]:
    """Return the lines at which a module meets Home Assistant, and over what."""
    lines = source.splitlines()
    return [
        (
            lines[place.line - 1].strip(),
            {what.replace(str(path), "a.py") for what in found},
        )
        for place, found in sorted(contacts({path: source}).items())
    ]


def test_lines_that_meet_home_assistant() -> None:
    publish = {"mqtt.publish(2)", "hass"}
    publish_otherwise = {"mqtt.publish(2, qos, retain)", "hass"}
    asked = "self.hass.loaded"
    assert met(SOURCE) == [
        (
            "return self.number + helper(self.state)",
            {"a.py:18 called_by_home_assistant"},
        ),
        ("return helper(2)", {"a.py:23 named"}),
        ("await async_ours(self.named)", {"a.py: self.named"}),
        (".async_theirs()", {"a.py: self.async_theirs(0)"}),
        ('mqtt.publish(hass, "a")', publish),
        ("mqtt.publish(hass, NUMBER)", publish),
        ('mqtt.publish(hass, "b", retain=True, qos=1)', publish_otherwise),
        ('mqtt.publish(hass, "c", qos=0,', publish_otherwise),
        ('if self.hass.loaded("mqtt"):', {f"{asked}(1)"}),
        ("return helper(3)", {f"{asked}('mqtt'): yes"}),
        ("elif self.number:", {f"{asked}('mqtt'): no"}),
        ("return super().named(1)", {"a.py: super().named(1)"}),
    ]


def test_what_is_asked_of_oneself_counts_once_in_each_room() -> None:
    source = "class A:\n    async def a(self):\n        await self.async_theirs()"
    wizard, options = INTEGRATION / "flows" / "wizard", INTEGRATION / "flows/options"
    paths = (wizard / "a.py", wizard / "b.py", options / "a.py", MODULE)
    found = contacts(dict.fromkeys(paths, source)).values()
    asked = {what for each in found for what in each if "async_theirs" in what}
    assert asked == {
        f"{room}: self.async_theirs(0)" for room in (wizard, options, MODULE)
    }


def test_a_function_that_another_module_names_is_ours() -> None:
    other = "def f():\n    return called_by_home_assistant"
    both = contacts({MODULE: SOURCE, INTEGRATION / "b.py": other})
    gone = contacts({MODULE: SOURCE}).keys() - both.keys()
    line = SOURCE.splitlines()[next(iter(gone)).line - 1]
    assert line.strip() == "return self.number + helper(self.state)"
    assert len(gone) == 1


def test_lines_that_were_not_run_reach_nothing() -> None:
    a, b = Path("a"), Path("b")
    met = {Place(a, 2): {"x", "y"}, Place(a, 4): {"y", "z"}, Place(b, 2): {"q"}}
    assert reached([Place(a, 1), Place(a, 4)], met) == {"y", "z"}


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
