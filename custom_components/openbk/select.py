"""Choices that a socket keeps over a power cut."""

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_DARK_LEDS, CONF_POWER_CUT, CONF_TUNED
from .entity import OpenBekenEntity, ReadbackEntity
from .live.state import OpenBekenConfigEntry, SocketState
from .pyopenbk.obk.commands import channel_command, start_value_command
from .pyopenbk.obk.flags import PowerCutState, StartValue
from .pyopenbk.obk.settings import (
    ButtonUse,
    LedName,
    LedUse,
    button_use,
    led_name,
    led_pins,
    led_use,
    with_button_use,
    with_led_use,
)
from .pyopenbk.profile import PinAssignment
from .pyopenbk.roles import BRIDGE_ROLES

PARALLEL_UPDATES = 1

_LED_USES: Final = {
    LedName.WIFI: "wifi_led_use",
    LedName.RELAY: "relay_led_use",
    LedName.OTHER: "led_use",
    LedName.ONE_OF_MANY: "led_use_of_many",
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the choices that the pins of the socket allow."""
    async_add_entities(_selects(entry.runtime_data))


def _selects(socket: SocketState) -> Iterator[SelectEntity]:
    for led in led_pins(socket.profile):
        yield LedSelect(socket, led)
    for button in socket.profile.buttons:
        if button_use(button) is not None:
            yield ButtonSelect(socket, button)
    for relay in socket.profile.relays:
        yield PowerCutSelect(socket, relay)


@cache
def _describe(
    key: str, number: int, options: type[StrEnum], *, of: int, **where: str
) -> SelectEntityDescription:
    """Describe one of ``of`` alike, once for all sockets; a name tells which of several."""
    return SelectEntityDescription(
        key=f"{key}_{number}",
        translation_key=key if of == 1 else f"{key}_of_many",
        translation_placeholders=where,
        entity_category=EntityCategory.CONFIG,
        options=list(options),
    )


@cache
def _describe_led(name: LedName, pin: int) -> SelectEntityDescription:
    """Describe what an LED shows, once for all sockets."""
    return SelectEntityDescription(
        key=f"led_use_{pin}",
        translation_key=_LED_USES[name],
        translation_placeholders={"pin": f"P{pin}"},
        entity_category=EntityCategory.CONFIG,
        options=list(LedUse),
    )


class SocketSelect(OpenBekenEntity, SelectEntity):
    """A choice of a socket, as small as its other entities."""

    state_attributes = None

    @property
    @override
    def options(self) -> list[str]:
        """Return the options of the description."""
        return self.entity_description.options or []


class LedSelect(SocketSelect):
    """What an LED shows."""

    def __init__(self, socket: SocketState, led: PinAssignment) -> None:
        """Choose for the LED on this pin."""
        name = led_name(socket.first_led_uses, led)
        super().__init__(socket, _describe_led(name, led.pin))
        self._led = led

    @property
    def _dark(self) -> list[int]:
        dark: list[int] = self.socket.entry.data.get(CONF_DARK_LEDS, [])
        return dark

    @property
    @override
    def current_option(self) -> str:
        """Return what the pin's role makes the LED show."""
        use = led_use(self.socket.profile, self._led)
        if use is LedUse.INDEPENDENT and self._led.pin in self._dark:
            return LedUse.OFF
        return use

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the role of the pin in the running socket."""
        use = LedUse(option)
        profile = with_led_use(self.socket.profile, self._led.pin, use)
        dark = {*self._dark} - {self._led.pin}
        darken = []
        if use is LedUse.OFF:
            dark.add(self._led.pin)
            [channel] = (
                pin.channel for pin in profile.pins if pin.pin == self._led.pin
            )
            darken = [
                start_value_command(channel, StartValue.OFF),
                channel_command(channel, 0),
            ]
        await self.socket.async_change_profile(
            profile, darken, **{CONF_DARK_LEDS: sorted(dark)}
        )


class ButtonSelect(SocketSelect):
    """What the button does by itself."""

    def __init__(self, socket: SocketState, button: PinAssignment) -> None:
        """Choose for the button on this pin."""
        buttons = len(socket.profile.buttons)
        super().__init__(
            socket,
            _describe(
                "button_use", button.pin, ButtonUse, of=buttons, pin=f"P{button.pin}"
            ),
        )
        self._button = button

    @property
    @override
    def current_option(self) -> str | None:
        """Return what the pin's role makes the button do."""
        return button_use(self._button)

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the role of the pin in the running socket."""
        await self.socket.async_change_profile(
            with_button_use(self.socket.profile, self._button.pin, ButtonUse(option))
        )


class PowerCutSelect(ReadbackEntity, SocketSelect):
    """What a relay does when power comes back."""

    current_option: str | None = None

    def __init__(self, socket: SocketState, relay: PinAssignment) -> None:
        """Choose for the relay on this channel."""
        relays, channel = len(socket.profile.relays), relay.channel
        super().__init__(
            socket,
            _describe(
                "power_cut", channel, PowerCutState, of=relays, channel=str(channel)
            ),
        )
        self._channel = channel
        self._latches = relay.role in BRIDGE_ROLES

    @property
    @override
    def options(self) -> list[str]:
        """Offer no off for two coils: the firmware takes them for open then, and moves nothing."""
        return [
            option
            for option in super().options
            if not (self._latches and option == PowerCutState.OFF)
        ]

    @override
    async def async_select_option(self, option: str) -> None:
        """Set the start value of the channel."""
        command = start_value_command(self._channel, PowerCutState(option).start_value)
        known = self.socket.entry.data.get(CONF_POWER_CUT, {})
        chosen = {**known, str(self._channel): option}
        await self.socket.async_configure([command], **{CONF_POWER_CUT: chosen})
        self.current_option = option
        self.async_write_ha_state()

    @override
    @callback
    def _take(self) -> None:
        """Take what the socket has, else what was last set here; ours remember their state."""
        data = self.socket.entry.data
        read = self.socket.readback.power_cut
        self.assumed_state = read is None
        if read is None:
            known: dict[str, str] = data.get(CONF_POWER_CUT, {})
            default = None if CONF_TUNED in data else PowerCutState.LAST
            self.current_option = known.get(str(self._channel), default)
        else:
            self.current_option = read.get(self._channel)
