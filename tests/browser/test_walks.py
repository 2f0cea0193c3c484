"""The dialogs in a real browser: each page looked at, light and dark, on a desktop and on a phone.

Home Assistant, a browser and a socket take longer to start than most chapters take, so there are two walks only.
"""

from pathlib import Path

import pytest

from .calibration import calibrate
from .conftest import Scene
from .looks import FEW_SCREENS
from .mistakes import make_every_mistake
from .options_pages import look_behind_the_options
from .road import look_in_other_languages
from .settings import set_up_otherwise_and_add_anew
from .texts import look_at_all_that_only_tell
from .waiting import wait_and_flash_the_next
from .wizard import flash_and_discover

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(1800)]


class TestWhereAllGoesWell:
    """From a factory socket to everything that can be done with it."""

    async def test_from_the_first_page_to_adding_a_socket_anew(
        self, scene: Scene
    ) -> None:
        await flash_and_discover(scene)
        scene.looks.screens = FEW_SCREENS
        await look_behind_the_options(scene)
        await calibrate(scene)
        await set_up_otherwise_and_add_anew(scene)
        await look_in_other_languages(scene)
        scene.looks.judge()


class TestWhereMuchGoesWrong:
    """What goes wrong most often: each page says so and leads on."""

    @pytest.fixture
    def patience(self) -> float:
        """Return long enough for a simulated socket to appear."""
        return 6.0

    @pytest.fixture
    def search_patience(self) -> float:
        """Let a search in vain end soon."""
        return 9.0

    async def test_from_wrong_ports_to_the_next_socket(
        self, scene: Scene, tmp_path: Path
    ) -> None:
        scene.looks.screens = FEW_SCREENS
        await make_every_mistake(scene, tmp_path)
        await wait_and_flash_the_next(scene, tmp_path)
        await look_in_other_languages(scene)
        await look_at_all_that_only_tell(scene)
        scene.looks.judge()
