"""Each picture is drawn from its source as it is now, and can be read on a phone in both themes."""

from pathlib import Path
import re
import struct

import pytest

from artwork.check import DRAWINGS, measure
from artwork.render import DIGEST, INTEGRATION, PICTURES, SCALE, SOURCES, digest

DRAWN = [f"{name}{suffix}" for name in PICTURES for suffix in ("", "_dark")]
FAINT = """\
<svg xmlns="http://www.w3.org/2000/svg" width="480" height="100">
<title>Two texts over each other, a small one, and a line that is hardly there</title>
<rect width="480" height="100" fill="#fff"/>
<text x="10" y="40" style="font-size:20px" fill="#999">grey</text>
<text x="12" y="42" style="font-size:20px" fill="#000">over</text>
<text x="470" y="90" style="font-size:20px" fill="#000">outside</text>
<text x="10" y="90" style="font-size:8px" fill="#000">small</text>
<path d="M200,50h100" fill="none" stroke="#ddd" stroke-width="4"/>
<g id="twice"><path d="M200,80h40" fill="none" stroke="#ddd" stroke-width="4"/></g>
<use href="#twice" x="100"/>
</svg>
"""


def size_of(source: str) -> tuple[int, int]:
    svg = (SOURCES / f"{source}.svg").read_text()
    found = re.search(r'<svg [^>]*width="(\d+)" height="(\d+)"', svg)
    assert found
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("name", DRAWN)
def test_picture_is_drawn_from_its_source(name: str) -> None:
    """After a change run `.venv/bin/python artwork/render.py`."""
    source = name.removesuffix("_dark")
    png = (INTEGRATION / "images" / f"{name}.png").read_bytes()
    assert DIGEST + b"\0" + digest(source) in png
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height) == tuple(SCALE * side for side in size_of(source))


def test_no_other_picture_is_shipped() -> None:
    shipped = {path.stem for path in (INTEGRATION / "images").iterdir()}
    assert shipped == set(DRAWN)


@pytest.mark.parametrize("name", PICTURES)
def test_picture_says_what_it_shows(name: str) -> None:
    assert re.search(r"<title>[^<]{20,}</title>", (SOURCES / f"{name}.svg").read_text())


@pytest.mark.real_time
@pytest.mark.browser
async def test_pictures_stand_out_and_can_be_read_on_a_phone(
    chromium: str, tmp_path: Path
) -> None:
    """As one beside them does not, whose faults are all seen."""
    faint = tmp_path / "faint.svg"
    faint.write_text(FAINT)
    faults = [fault async for fault in measure(chromium, (*DRAWINGS, faint))]
    assert not [fault for fault in faults if fault.picture != faint.stem]
    told = [fault.what for fault in faults if fault.scheme == "light"]
    assert len(told) == 8, told
    for wrong in (
        '"grey" has a contrast of 2.8',
        'path. "" has a contrast of 1.4',
        '"small" is 5.2 pixels high on a phone',
        '"outside" leaves the picture',
        '"grey" and "over" overlap',
    ):
        assert any(wrong in line for line in told), wrong
    assert sum("contrast of 1.4" in line for line in told) == 3
