"""Every row of docs/wizard.md is walked by a test, to everywhere that it leads."""

from tests.homeassistant.walks import ROWS, claimed_pages, claimed_ways, claims, fits


def test_every_page_and_every_way_is_walked() -> None:
    walked = {way for claim in claims() for way in claimed_ways(claim)}
    missing = [
        f"{page} -> {way}"
        for page, ways in ROWS.items()
        for way in sorted(ways)
        if not any(page == start and fits(way, end) for start, end in walked)
    ]
    assert not missing, "\n".join(("no test claims to walk:", *missing))


def test_every_end_is_reached() -> None:
    reached = {page for claim in claims() for page in claimed_pages(claim)}
    missing = sorted(ROWS.keys() - reached)
    assert not missing
