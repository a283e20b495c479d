"""What `swarmctl init` writes, read back as the program reads it."""

from pathlib import Path

import pytest

from swarm.adapters.local.sources.settings import CommandSettings
from swarm.runtime.detect import Found
from swarm.runtime.first_files import installation
from swarm.runtime.settings import load


def test_the_tidy_agent_is_given_nothing_that_it_would_leave_as_it_is(tmp_path):
    file = tmp_path / "swarm.toml"
    found = Found(
        folder=Path("/srv/shop"), name="shop", branch="main", python=True, checks=(), agents=(),
        notes=(),
    )  # fmt: skip
    file.write_text(installation(found))
    settings = load(file)
    ruff, tidy = settings.sources["ruff"], settings.agents["tidy"]
    assert ruff.mission_class in tidy.classes
    assert ruff.by_hand_class is not None
    assert ruff.by_hand_class not in tidy.classes


def test_only_ruff_tells_what_it_can_repair():
    with pytest.raises(ValueError, match="by_hand_class"):
        CommandSettings(kind="command", name="x", run=("a",), workdir="/srv", by_hand_class="lint")
