"""Published and synthetic data that tests compare with, as small files beside this one."""

import base64
from functools import cache
import json
import lzma
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


@cache
def _load(name: str) -> dict[str, Any]:
    text = (_FOLDER / f"{name}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def tuya_parameters() -> dict[str, dict[str, Any]]:
    """Return hardware parameters as makers published them, by the name of the device."""
    return {
        entry["device"]: entry["parameters"]
        for entry in _load("tuya_parameters")["devices"]
    }


def published_plugs() -> list[dict[str, Any]]:
    """Return the templates of plugs with a meter from OpenBeken's list of devices."""
    plugs: list[dict[str, Any]] = _load("published_plugs")["devices"]
    return plugs


def fragmented_dump() -> bytes:
    """Return a synthetic factory dump whose store was written over many times."""
    packed = base64.b64decode("".join(_load("fragmented_dump")["dump"]))
    return lzma.decompress(packed)
