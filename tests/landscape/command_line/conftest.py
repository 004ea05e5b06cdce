"""Files of settings."""

import json

import pytest


@pytest.fixture
def write(tmp_path):
    """Write a file of settings; returns the words that name it."""

    def write(content, name="settings.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return ["--config", str(path)]

    return write
