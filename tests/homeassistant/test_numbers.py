"""Numbers are written as in the language of the sentence that they stand in."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
import pytest

from custom_components.openbk.const import DOMAIN
from custom_components.openbk.helpers import written


@pytest.mark.parametrize(
    ("language", "number"),
    [("en", "230.1"), ("de", "230,1"), ("pl", "230,1"), ("fr", "230.1")],
)
async def test_decimal_sign_is_that_of_the_texts(
    hass: HomeAssistant, language: str, number: str
) -> None:
    """Where a language is missing the texts are in English, and so are the numbers."""
    hass.config.language = language
    assert written(hass, "230.1 V") == "230.1\u00a0V"
    await async_get_translations(hass, language, "selector", [DOMAIN])
    assert written(hass, "230.1 V") == f"{number}\u00a0V"
