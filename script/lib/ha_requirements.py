"""Print what the installed Home Assistant would install by itself at its first start.

Home Assistant brings the packages of its integrations only when it loads them. The demo and the
end-to-end tests want that done beforehand: a start must neither wait for pip nor need the network.
"""

import json
from pathlib import Path
from typing import Any

from homeassistant import components
from homeassistant.bootstrap import DEFAULT_INTEGRATIONS
from homeassistant.requirements import DISCOVERY_INTEGRATIONS

# What our manifest, the demo's configuration and the tests name beyond Home Assistant's own defaults.
USED_HERE = {"dhcp", "energy", "history", "logbook", "mqtt", "recorder", "usb"}


def manifest_of(domain: str) -> dict[str, Any]:
    """Return the manifest of a core integration."""
    path = Path(components.__path__[0], domain, "manifest.json")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def requirements() -> set[str]:
    """Follow dependencies the way `homeassistant.requirements` does."""
    found: set[str] = set()
    done: set[str] = set()
    to_do = DEFAULT_INTEGRATIONS | USED_HERE
    while to_do:
        domain = to_do.pop()
        done.add(domain)
        manifest = manifest_of(domain)
        found.update(manifest.get("requirements", ()))
        needed = {
            *manifest.get("dependencies", ()),
            *manifest.get("after_dependencies", ()),
            *(
                discovery
                for discovery, keys in DISCOVERY_INTEGRATIONS.items()
                if any(key in manifest for key in keys)
            ),
        }
        to_do |= needed - done
    return found


if __name__ == "__main__":
    print(*sorted(requirements()), sep="\n")
