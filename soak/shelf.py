"""The folder of backups, read without a line of the code that writes it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
import re
from typing import Any, Final

from .chips import FLASH_SIZE
from .findings import Invariant, Violation

_STEM: Final = r"bk7231[a-z]_(?:[0-9a-f]{12}|no-mac)_\d{8}T\d{6}Z(?:_\d+)?"
_COMPLETE: Final = re.compile(_STEM + r"\.(?:bin|json)")
_GROWING: Final = re.compile(_STEM + r"\.(?:bin|json)\.part(?:\.tmp)?")
_RECORD: Final = re.compile(r"[0-9a-f]{12}\.job")
# Left by a process that was killed; the next one replaces it.
_TEMPORARY: Final = re.compile(rf"(?:{_STEM}\.json|[0-9a-f]{{12}}\.job)\.tmp")
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of backups and records."""

    path: Path
    strangers: Collection[str] = ()
    """Names of files that the soak itself has put there."""

    def dumps(self) -> Iterator[tuple[Path, bytes]]:
        """Yield the complete backups; raises Violation where one is not what it says."""
        for path in sorted(self._files()):
            if path.suffix != ".bin":
                continue
            dump = path.read_bytes()
            sidecar = path.with_suffix(".json")
            if not sidecar.is_file():
                raise Violation(Invariant.BACKUPS, f"{path.name} has no sidecar")
            said = json.loads(sidecar.read_text())
            if len(dump) != FLASH_SIZE or said["sha256"] != _digest(dump):
                raise Violation(
                    Invariant.BACKUPS, f"{path.name} is not what its sidecar says"
                )
            yield path, dump

    def record(self, mac: str) -> dict[str, Any] | None:
        """Return the record of a chip's unfinished job."""
        path = self.path / f"{mac.replace(':', '')}.job"
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        if found["mac"] != mac:
            raise Violation(Invariant.RECORD, f"it is of {found['mac']}")
        return found

    def check(self, held: Collection[bytes], *, finished: bool, torn: bool) -> None:
        """Raise Violation unless every file is one of ours, private, and true.

        ``held`` is what the chip held at the beginning of each job so far. ``finished``: no job
        is left over. ``torn``: a process was killed, and may have left a temporary file.
        """
        digests = {_digest(dump) for dump in held}
        for path, dump in self.dumps():
            if path.name not in self.strangers and _digest(dump) not in digests:
                raise Violation(
                    Invariant.BACKUPS, f"{path.name} is nothing that the chip held"
                )
        if not self.path.exists():
            return
        if (mode := self.path.stat().st_mode & 0o777) != _FOLDER_MODE:
            raise Violation(Invariant.MODES, f"the folder has {mode:o}")
        for path in self._files():
            if path.name in self.strangers:
                continue
            if (mode := path.stat().st_mode & 0o777) != _FILE_MODE:
                raise Violation(Invariant.MODES, f"{path.name} has {mode:o}")
            self._check_name(path.name, torn=torn)
            if finished and _RECORD.fullmatch(path.name):
                raise Violation(Invariant.RECORD, "it stays although the job is over")

    def _check_name(self, name: str, *, torn: bool) -> None:
        known = [_COMPLETE, _GROWING, _RECORD]
        if torn:
            known.append(_TEMPORARY)
        if not any(form.fullmatch(name) for form in known):
            raise Violation(Invariant.BACKUPS, f"{name} is left behind")

    def _files(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.exists() else []


def _digest(dump: bytes) -> str:
    return hashlib.sha256(dump).hexdigest()
