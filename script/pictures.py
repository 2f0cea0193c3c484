"""Take over the screenshots that the manual shows, with as few bytes as their few colours need."""

from pathlib import Path
import re
import sys

from PIL import Image

_SHOWN = re.compile(r"images/(\w+)\.png")


def shown(root: Path) -> set[str]:
    """Return the names of the pictures that README and the manual show, without their ends."""
    pages = (root / "README.md", *(root / "docs").glob("*.md"))
    return {
        name
        for page in pages
        for name in _SHOWN.findall(
            page.read_text(encoding="utf-8").replace("openbk/images/", "")
        )
    }


def take_over(taken: Path, manual: Path) -> None:
    """Copy each picture that is shown from one folder to the other; raises OSError without it."""
    for name in sorted(shown(manual.parents[1])):
        with Image.open(taken / f"{name}.png") as picture:
            small = picture.convert("RGB").quantize(128)
        small.save(manual / f"{name}.png", optimize=True)


if __name__ == "__main__":
    take_over(Path(sys.argv[1]), Path(sys.argv[2]).resolve())
