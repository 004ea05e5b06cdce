import subprocess
import sys

import pytest

from landscape.data.settings import SPLITS, canonical_split
from landscape.errors import InputError


def test_the_settings_are_read_without_torch():
    program = "import sys, landscape.data.settings; print('torch' in sys.modules)"
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert output.split() == ["False"]


def test_splits_have_one_name_each():
    assert [canonical_split(split) for split in SPLITS] == ["train", "test", "test"]
    with pytest.raises(InputError, match="unknown split 'dev'; expected train, test or val"):
        canonical_split("dev")
