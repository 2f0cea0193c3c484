"""Files that a person uploads in a step."""

from typing import Final

from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.core import HomeAssistant

# Twice the largest file that makes sense here: anything bigger is read no further.
LARGEST: Final = 8 * 1024 * 1024


class UploadGoneError(Exception):
    """The browser sent a file id that Home Assistant does not know any more."""


class UploadTooLargeError(Exception):
    """The file is larger than anything that belongs here."""


async def async_read(hass: HomeAssistant, file_id: str) -> bytes:
    """Return what was uploaded, and forget it on disk.

    Raises UploadGoneError and UploadTooLargeError.
    """

    def read() -> bytes:
        try:
            with process_uploaded_file(hass, file_id) as path:
                if path.stat().st_size > LARGEST:
                    raise UploadTooLargeError
                return path.read_bytes()
        except (ValueError, FileNotFoundError) as err:
            raise UploadGoneError from err

    return await hass.async_add_executor_job(read)
