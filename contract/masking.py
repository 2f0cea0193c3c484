"""What leaves a report before a person shows it to others."""

from dataclasses import dataclass, field
import re
from typing import Final

_MAC: Final = re.compile(
    r"\b([0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2})(?:[:-][0-9a-f]{2}){3}\b",
    re.IGNORECASE,
)
# Four numbers, as in an address; a release has three.
_IPV4: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
# Default names end on the last four bytes of the MAC.
_NAME: Final = re.compile(
    r"\b(obk|open\w+_|linuxsim_|ls)([0-9a-f]{8})\b", re.IGNORECASE
)


@dataclass(slots=True)
class Mask:
    """Replaces what identifies a person's device or network, and every secret that was told to it."""

    secrets: dict[str, str] = field(default_factory=dict)
    """Text and what stands for it, such as a host name and ``<broker>``."""

    def hide(self, text: str, name: str) -> None:
        """Let ``<name>`` stand for ``text`` from now on; what is very short tells nothing."""
        if len(text) > 3:
            self.secrets[text] = f"<{name}>"

    def __call__(self, text: str) -> str:
        """Return ``text`` without them; of a MAC, the maker's half stays."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, self.secrets[secret])
        text = _MAC.sub(r"\1:xx:xx:xx", text)
        text = _NAME.sub(r"\1xxxxxxxx", text)
        return _IPV4.sub("<address>", text)
