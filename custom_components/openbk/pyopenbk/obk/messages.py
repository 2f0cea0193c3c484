"""What a socket says over MQTT and what it understands."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
import re
from typing import Final

from ..errors import OpenBekenError
from ..ipv4 import is_in_a_network
from ..profile import HIGHEST_CHANNEL
from ..quantities import DIAGNOSTICS, FREQUENCY, METER, Quantity
from .builds import decode_build, release_of

# OpenBeken's mqtt_clientId has room for 63 bytes and a terminating zero.
LONGEST_CLIENT_ID: Final = 63
BUTTON_TOPIC: Final = "button"
ENERGY_CLEARED: Final = "energy_cleared"
"""The key of the time stamp of the last reset of the energy counters."""


class MessageError(OpenBekenError):
    """A message must not be sent to a socket."""


class Gesture(StrEnum):
    """What a person did with the button, as our event handlers word it."""

    SINGLE = "single"
    DOUBLE = "double"
    TRIPLE = "triple"
    HOLD = "hold"
    RELEASE = "release"


type Value = bool | int | float | str
type Decoder = Callable[[str], Value | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a socket reported: the key of the value and the value."""

    key: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A message for the broker."""

    topic: str
    payload: str
    qos: int = 0
    retain: bool = False


_CHANNEL_KEY: Final = "channel_"


def channel_key(channel: int) -> str:
    """Return the key under which the value of a channel is reported."""
    return f"{_CHANNEL_KEY}{channel}"


def channel_of(key: str) -> int | None:
    """Return the channel whose value is reported under a key, None for a key of something else."""
    if not key.startswith(_CHANNEL_KEY):
        return None
    return int(key.removeprefix(_CHANNEL_KEY))


def button_key(pin: int, *, first: bool) -> str:
    """Return the key, and the topic, of the button on a pin; the first has the plain name."""
    return BUTTON_TOPIC if first else f"{BUTTON_TOPIC}_{pin}"


def decode_number(payload: str) -> float | None:
    """Return a number as the firmware prints one, with ``%i`` or ``%f``; None for anything else.

    It also prints inf and nan, for a wrong pin map.
    """
    # The zero is for what is printed as -0.00.
    return float(payload) + 0.0 if _NUMBER.fullmatch(payload) else None


def decode_channel(payload: str) -> int | None:
    """Return the value of a channel, 32 bits with a sign; flag 33 prints it with six decimals."""
    number = decode_number(payload)
    if number is None or not -(1 << 31) <= number < 1 << 31:
        return None
    return int(number)


def decode_count(highest: int) -> Decoder:
    """Return the decoder of a whole number of seconds from 0 to the highest that can be true."""

    def decode(payload: str) -> int | None:
        number = decode_number(payload)
        return int(number) if number is not None and 0 <= number <= highest else None

    return decode


def decode_connected(payload: str) -> bool | None:
    """Return whether the birth or the last will was published."""
    return _CONNECTED.get(payload)


def decode_line(longest: int) -> Decoder:
    """Return the decoder of a name: one printable line of so many characters at most."""

    def decode(payload: str) -> str | None:
        fits = 0 < len(payload) <= longest and payload.isprintable()
        return payload if fits else None

    return decode


def decode_gesture(payload: str) -> Gesture | None:
    """Return the gesture that an event handler reported."""
    try:
        return Gesture(payload)
    except ValueError:
        return None


def decode_address(payload: str) -> str | None:
    """Return the IPv4 address of a host in a network, or None for anything else.

    The firmware has no IPv6 and serves port 80 alone. Anybody on the broker can say an address, so
    it must not be one of this computer, nor one that means many hosts or none.
    """
    try:
        return payload if is_in_a_network(IPv4Address(payload)) else None
    except ValueError:
        return None


def decode_mac(payload: str) -> str | None:
    """Return a MAC address in lower case with colons."""
    return payload.lower() if _MAC.fullmatch(payload) else None


def decode_quantity(quantity: Quantity) -> Decoder:
    """Return the decoder of a measured quantity into its unit."""
    factor, decimals = quantity.factor, quantity.decimals + 3

    def decode(payload: str) -> float | None:
        if (number := decode_number(payload)) is None:
            return None
        if factor != 1:
            number = round(number * factor, decimals)
        return number if quantity.is_plausible(number) else None

    return decode


def topic_of(key: str) -> str:
    """Return the topic, below the client id, on which the value of a key is reported."""
    if (topic := _TOPICS.get(key)) is not None:
        return topic
    if (channel := channel_of(key)) is not None:
        return f"{channel}/get"
    return f"{key}/get"


def decoder_of(key: str) -> Decoder:
    """Return the function that reads the payload of a key."""
    if (decoder := _DECODERS.get(key)) is not None:
        return decoder
    return decode_gesture if channel_of(key) is None else decode_channel


def parse(suffix: str, payload: str) -> Change | None:
    """Return what a message says; ``suffix`` is its topic below the client id.

    None is returned for what is no statement of the socket: requests, commands, numbers that are
    none or cannot be true, topics of other drivers. Flag 50 leaves out ``/get``; both forms are
    read.
    """
    name = suffix.removesuffix("/get")
    if _CHANNEL.fullmatch(name) and int(name) <= HIGHEST_CHANNEL:
        key = channel_key(int(name))
    elif name == BUTTON_TOPIC or _BUTTON.fullmatch(name):
        key = name
    elif (known := _KEYS.get(name)) is not None:
        key = known
    else:
        return None
    value = decoder_of(key)(payload)
    return None if value is None else Change(key=key, value=value)


def below(client_id: str, topic: str) -> str | None:
    """Return the topic below the client id, or None where it belongs to somebody else."""
    prefix = f"{client_id}/"
    return topic[len(prefix) :] if topic.startswith(prefix) else None


def is_client_id(text: str) -> bool:
    """Return whether a socket can be given a client id, which is the root of its topics.

    It has to fit into 63 bytes of UTF-8; no wildcard finds a topic that begins with ``$``.
    """
    return is_root_of_topics(text) and _CLIENT_ID.fullmatch(text) is not None


def is_root_of_topics(text: str) -> bool:
    """Return whether a socket may have a client id that somebody gave it on its own page.

    Blanks and levels work there (OpenBeken 1.18.299).
    """
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return False
    return (
        length <= LONGEST_CLIENT_ID
        and text.isprintable()
        and _ROOT.fullmatch(text) is not None
    )


def set_channel(client_id: str, channel: int, value: int) -> Publication:
    """Build the command that sets a channel; the firmware reads ON and OFF as 0, so numbers."""
    return Publication(topic=f"{client_id}/{channel}/set", payload=str(value))


def ask_channel(client_id: str, channel: int) -> Publication:
    """Build the question for a channel; the answer comes on ``<client>/<channel>/get``.

    That is also where most are asked for; the firmware hears nothing there about the others.
    """
    if channel > _HIGHEST_ASKED:
        return console(client_id, f"publishChannel {channel}")
    return Publication(topic=f"{client_id}/{channel}/get", payload="")


def console(client_id: str, command: str) -> Publication:
    """Build a console command: its name is the end of the topic, its arguments are the payload.

    Raises MessageError for Status: with flag 30 the firmware takes its own answer for the next
    command and never stops (seen with 1.18.300).
    """
    name, _, arguments = command.partition(" ")
    if name.casefold().startswith("status") or _STATUS_IN_BACKLOG.search(arguments):
        raise MessageError("Status must not be sent over MQTT")
    return Publication(topic=f"cmnd/{client_id}/{name}", payload=arguments)


def publish_all(client_id: str) -> Publication:
    """Build the request for everything that a socket reports when it connects."""
    return console(client_id, "publishAll")


def says_on_command(build: str) -> bool:
    """Return whether a socket publishes what a command tells it to; ``build`` is what it runs."""
    return (release_of(build) or ()) >= _SAYS_ON_COMMAND


def heard_topic(client_id: str, *, without_get: bool = False) -> str:
    """Return where a socket says the word that ``ask_for_word`` gives it.

    Two levels below its name, it is no question to the socket itself, which listens to one level
    and ``get``; flag 50 leaves that out.
    """
    suffix = "" if without_get else "/get"
    return f"{client_id}/{_HEARD}{suffix}"


def ask_for_word(client_id: str, word: str) -> Publication:
    """Build the command to say a word of letters and digits, with QoS 1 at once.

    The firmware runs commands in turn, so one that came before it is over once the word is heard.
    Recorded from OpenBeken 1.18.299: ``publish a/b x`` is answered by ``x`` on ``<client>/a/b/get``,
    which the broker keeps with flag 7.
    """
    return console(client_id, f"publish {_HEARD} {word}")


def forget_word(topic: str) -> Publication:
    """Build the message that has the broker forget a word that it may have kept."""
    return Publication(topic=topic, payload="", retain=True)


def ask_address(client_id: str) -> Publication:
    """Build the question for the address, which is the last but the channels in the list.

    The answer is the list's own message, within a second (OpenBeken 1.18.299) instead of 10 s.
    """
    return console(client_id, f"publish {client_id}/ip $IP 1")


# cmnd/<client>/publish is older than the oldest release that was looked at (1.10.0). Since this one
# it does the same in all: a value as it is, below the client id (new_mqtt.c of its tag, 1.18.299).
_SAYS_ON_COMMAND: Final = (1, 15, 577)
_HEARD: Final = "openbk/heard"
# channelGet of new_mqtt.c, 1.17.360 to 1.18.300.
_HIGHEST_ASKED: Final = 32
_CONNECTED: Final = {"online": True, "offline": False}
_ROOT: Final = re.compile(r"(?!\$)[^+#\x00-\x1f\x7f]+")
_CLIENT_ID: Final = re.compile(r"(?!\$)[^/+#\s\x00-\x1f\x7f]+")
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_BUTTON: Final = re.compile(rf"{BUTTON_TOPIC}_[0-9]{{1,2}}")
_CHANNEL: Final = re.compile(r"[0-9]{1,2}")
# valueStr of MQTT_PublishMain_StringFloat has 16 bytes; no exponent, no blanks, no other digits.
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{0,9})?")
_STATUS_IN_BACKLOG: Final = re.compile(r"(^|;)\s*status", re.IGNORECASE)

# Nothing runs for ten years without a power cut; the firmware's clock has 32 bits.
_LONGEST_UPTIME: Final = 10 * 366 * 24 * 3600
_LATEST: Final = (1 << 32) - 1
_LISTED: Final[dict[str, Decoder]] = {
    "mac": decode_mac,
    "ip": decode_address,
    "build": decode_build,
    # shortDeviceName has 32 bytes, and so has the name of a Wi-Fi.
    "host": decode_line(32),
    "ssid": decode_line(32),
    "uptime": decode_count(_LONGEST_UPTIME),
    "datetime": decode_count(_LATEST),
}
_DECODERS: Final[dict[str, Decoder]] = {
    "connected": decode_connected,
    ENERGY_CLEARED: decode_line(32),
    **_LISTED,
    **{
        quantity.key: decode_quantity(quantity)
        for quantity in (*METER, FREQUENCY, *DIAGNOSTICS)
    },
}
_TOPICS: Final = {
    "connected": "connected",
    ENERGY_CLEARED: "energycounter_clear_date/get",
    **{name: name for name in _LISTED},
    **{quantity.key: quantity.topic for quantity in DIAGNOSTICS},
    **{quantity.key: f"{quantity.topic}/get" for quantity in (*METER, FREQUENCY)},
}
_KEYS: Final = {topic.removesuffix("/get"): key for key, topic in _TOPICS.items()}
