"""What is kept of a socket over an update is read as it was written, or refused as a whole."""

from dataclasses import replace
import json

import pytest

from custom_components.openbk.pyopenbk.obk.keepsake import Keepsake, KeepsakeError
from custom_components.openbk.pyopenbk.obk.snapshot import Snapshot
from tests.support.sockets import BLOW, MAC

KEPT = Keepsake(
    settings=Snapshot(
        identity={"MAC": MAC},
        profile=BLOW,
        flags=1 << 10,
        channel_types=(0, 6),
        start_values={1: -1},
        startup_command="SetupWifi secret",
    ),
    version="1.18.300",
    channels={1: 1},
    energy=1234.5,
    files=b"LFS",
)


@pytest.mark.parametrize("energy", [1234.5, None])
def test_it_is_read_as_it_was_written(energy: float | None) -> None:
    kept = replace(KEPT, energy=energy)
    assert Keepsake.from_json(kept.as_json()) == kept


@pytest.mark.parametrize("energy", ["a lot", True, [], 1e999])
def test_an_energy_that_is_no_number_is_not_put_into_a_socket(energy: object) -> None:
    text = json.dumps(json.loads(KEPT.as_json()) | {"energy": energy})
    with pytest.raises(KeepsakeError):
        Keepsake.from_json(text)
