"""What the contract's tests share: the document's manifests and one small good object."""

from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture
def manifest():
    """Reads one of the manifests in `data/` by name."""

    def read(name: str) -> str:
        return (DATA / f"{name}.yaml").read_text("utf-8")

    return read


@pytest.fixture
def good():
    """The smallest object that is a Swarm, made anew for each test."""
    return {
        "apiVersion": "swarm.proompteng.ai/v1alpha1",
        "kind": "Swarm",
        "metadata": {"name": "orders"},
        "spec": {
            "owner": {"id": "platform-owner", "channel": "swarm://owner/platform"},
            "domains": ["platform-reliability"],
            "objectives": ["keep the order service fast"],
            "mode": "assisted",
        },
    }
