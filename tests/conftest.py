"""What every test may ask for."""

import os

import hypothesis
import pytest

from tests.alone import pytest_runtest_protocol
from tests.servers import mariadb_url, postgres_url

__all__ = ["mariadb_url", "postgres_url", "pytest_runtest_protocol"]

# One test file may import from these what another has as its plugin, in any order.
pytest.register_assert_rewrite("tests.changing_database", "tests.model_fixture", "tests.web_fixture")

# The same examples on every run: what a search finds new is for who looks for it, not for who changed something else.
# However long they take: how busy the machine is, is no fault of the code.
hypothesis.settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
