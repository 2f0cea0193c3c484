"""Numbers are written as in the language of the sentence that they stand in."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
import pytest

from custom_components.openbk.const import DOMAIN
from custom_components.openbk.helpers import counted, written


@pytest.mark.parametrize(
    ("language", "reading", "size"),
    [
        ("en", "230.1", "2,097,152"),
        ("de", "230,1", "2.097.152"),
        ("pl", "230,1", "2\u00a0097\u00a0152"),
        ("fr", "230.1", "2,097,152"),
    ],
)
async def test_signs_are_those_of_the_texts(
    hass: HomeAssistant, language: str, reading: str, size: str
) -> None:
    """Where a language is missing the texts are in English, and so are the numbers."""
    hass.config.language = language
    await async_get_translations(hass, language, "selector", [DOMAIN])
    assert written(hass, "230.1 V") == f"{reading}\u00a0V"
    assert counted(hass, 2097152) == size


async def test_before_the_texts_are_there_numbers_are_english(
    hass: HomeAssistant,
) -> None:
    """Those of a language that no other test has fetched, as they stay for all of them."""
    hass.config.language = "it"
    assert written(hass, "230.1 V") == "230.1\u00a0V"
