"""Lets everything that is imported from now on go by simulated time."""

from tests.support import simulated_time  # isort: skip

simulated_time.install()

import custom_components  # noqa: E402, F401
from tests.support import clockwork  # noqa: E402
import tests.support.harness  # noqa: E402, F401

clockwork.pytest_configure()
