"""A small Ray cluster on this machine, as a fixture: what RAY_ADDRESS names.

A test file asks for it with `pytest_plugins = ("tests.ray_cluster",)`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def _cluster() -> Iterator[str]:
    pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when a node starts
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def ray_cluster(_cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the cluster's address, which a job finds in the environment."""
    monkeypatch.setenv("RAY_ADDRESS", _cluster)
    return _cluster
