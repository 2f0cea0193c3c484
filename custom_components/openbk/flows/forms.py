"""What forms share: sections that open where something in them matters, and tidied text."""

import unicodedata

from homeassistant.data_entry_flow import section
import probatio


def opened(schema: probatio.Schema, name: str) -> probatio.Schema:
    """Return a form with one of its sections open, as what matters is in there."""
    return probatio.Schema(
        {
            key: section(field.schema, {"collapsed": False}) if key == name else field
            for key, field in schema.schema.items()
        }
    )


def tidy(text: str) -> str:
    """Return a typed name without blanks around it and with composed letters."""
    return unicodedata.normalize("NFC", text).strip()
