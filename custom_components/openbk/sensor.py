"""What a socket measures and what it says of itself."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfPower
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .entity import SocketEntity, ValueEntity
from .live.state import OpenBekenConfigEntry, SocketState
from .live.switching import SwitchedBy
from .pyopenbk.quantities import (
    CURRENT,
    DIAGNOSTICS,
    ENERGY,
    ENERGY_TODAY,
    FREQUENCY,
    METER,
    POWER,
    Quantity,
)

PARALLEL_UPDATES = 0


def _describe(
    quantity: Quantity, category: EntityCategory | None = None
) -> SensorEntityDescription:
    state_class = quantity.state_class
    return SensorEntityDescription(
        key=quantity.key,
        translation_key=quantity.key,
        native_unit_of_measurement=quantity.unit,
        device_class=SensorDeviceClass(quantity.device_class),
        state_class=SensorStateClass(state_class) if state_class else None,
        suggested_display_precision=quantity.decimals,
        entity_category=category,
        entity_registry_enabled_default=quantity.enabled,
    )


METER_SENSORS: Final = tuple(_describe(quantity) for quantity in METER)
# Several relays always share one meter.
_SHARED: Final = frozenset({CURRENT.key, POWER.key, ENERGY.key, ENERGY_TODAY.key})
SHARED_METER_SENSORS: Final = tuple(
    replace(sensor, translation_key=f"{sensor.key}_of_all")
    if sensor.key in _SHARED
    else sensor
    for sensor in METER_SENSORS
)
DIAGNOSTIC_SENSORS: Final = (
    *(_describe(quantity, EntityCategory.DIAGNOSTIC) for quantity in DIAGNOSTICS),
    *(
        SensorEntityDescription(
            key=key,
            translation_key=key,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=enabled,
        )
        for key, enabled in (("ip", True), ("ssid", False), ("build", False))
    ),
)
FREQUENCY_SENSOR: Final = _describe(FREQUENCY)
POWER_UNCERTAINTY: Final = SensorEntityDescription(
    key="power_uncertainty",
    translation_key="power_uncertainty",
    native_unit_of_measurement=UnitOfPower.WATT,
    device_class=SensorDeviceClass.POWER,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=1,
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
)
SWITCHED_BY: Final = SensorEntityDescription(
    key="switched_by",
    translation_key="switched_by",
    device_class=SensorDeviceClass.ENUM,
    options=list(SwitchedBy),
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
)
UPTIME: Final = SensorEntityDescription(
    key="last_restart",
    device_class=SensorDeviceClass.UPTIME,
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors that the socket has."""
    sensors = _sensors(entry.runtime_data)
    # Python learns from the first object of a class how much room one needs, and settles for less
    # the more there are before it is complete: each sensor would take 0.6 KB more.
    async_add_entities([next(sensors)])
    async_add_entities(sensors)


def _sensors(socket: SocketState) -> Iterator[SensorEntity]:
    if socket.profile.has_meter:
        several = len(socket.profile.relays) > 1
        described = SHARED_METER_SENSORS if several else METER_SENSORS
        for quantity, description in zip(METER, described, strict=True):
            kind = DailySensor if quantity.needs_clock else ValueSensor
            yield kind(socket, description)
        if socket.profile.has_frequency:
            yield ValueSensor(socket, FREQUENCY_SENSOR)
        yield PowerUncertaintySensor(socket, POWER_UNCERTAINTY)
    for description in DIAGNOSTIC_SENSORS:
        yield ValueSensor(socket, description)
    yield UptimeSensor(socket, UPTIME)
    if socket.native and socket.profile.relays:
        yield SwitchedBySensor(socket, SWITCHED_BY)


class SocketSensor(ValueEntity, SensorEntity):
    """A sensor of a socket, as small as its other entities."""

    entity_description: SensorEntityDescription
    last_reset = None
    native_value: StateType | datetime = None
    options = None
    suggested_unit_of_measurement = None
    supported_features = None

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit of the description."""
        return self.entity_description.native_unit_of_measurement

    @property
    @override
    def state_class(self) -> SensorStateClass | None:
        """Return the state class of the description."""
        return self.entity_description.state_class

    @property
    @override
    def suggested_display_precision(self) -> int | None:
        """Return the decimals of the description."""
        return self.entity_description.suggested_display_precision


class ValueSensor(SocketSensor):
    """A value just as the socket reports it."""

    @override
    @callback
    def _take(self, value: float | str | None) -> None:
        self.native_value = value
        # Without a load there is no power factor, though the socket is there.
        self.available = value is not None or self.socket.online


class DailySensor(SocketSensor):
    """The energy of a day, which means nothing while the socket does not have the time."""

    @override
    @callback
    def _take(self, value: float | None) -> None:
        self.native_value = value
        self.available = value is not None


class UptimeSensor(SocketSensor):
    """Since when the socket runs, from the seconds that it counts.

    Core takes what differs by less than the tolerance for the same start.
    """

    value_key = "uptime"
    # The socket sends its uptime late by up to the length of its list; a restart takes longer.
    _attr_uptime_drift_tolerance = 15

    @override
    @callback
    def _take(self, value: int | None) -> None:
        self.available = value is not None
        if value is not None:
            self.native_value = dt_util.utcnow() - timedelta(seconds=value)


class SwitchedBySensor(SocketEntity, SensorEntity):
    """Who switched a relay of the socket last."""

    entity_description: SensorEntityDescription

    @override
    async def async_added_to_hass(self) -> None:
        """Follow who switches."""
        await super().async_added_to_hass()
        switching = self.socket.switching
        self.async_on_remove(self.socket.listen_online(self._changed))
        self.async_on_remove(switching.listeners.add(self._changed))
        self._take()

    @callback
    def _changed(self, *_: object) -> None:
        self._take()
        self.async_write_ha_state()

    def _take(self) -> None:
        self.available = self.socket.online
        self._attr_native_value = self.socket.switching.last


class PowerUncertaintySensor(SocketSensor):
    """How far off the power shown may be: the half-width of the 95 % interval."""

    value_key = POWER.key

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the power and what is known of the meter."""
        await super().async_added_to_hass()
        self.async_on_remove(self.socket.calibration.listen(self._calibrated))

    @callback
    def _calibrated(self) -> None:
        self._value_changed(self.socket.value(self.value_key))

    @override
    @callback
    def _take(self, value: float | None) -> None:
        self.available = value is not None
        if value is not None:
            uncertainty = self.socket.calibration.uncertainty(self.value_key, value)
            self.native_value = round(uncertainty, 2)
