"""Home Assistant starts in the harness and finds the integration."""

from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration


async def test_integration_is_found(hass: HomeAssistant) -> None:
    """The integration is loaded from this repository."""
    integration = await async_get_integration(hass, "openbk")
    assert integration.domain == "openbk"
    assert not integration.is_built_in
