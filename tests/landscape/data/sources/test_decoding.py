"""Files that are called like pictures and are none."""

import os

import pytest

from landscape.data.sources.imagefolder import image_folder
from landscape.errors import InputError
from tests.commands import write_pictures


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_a_pipe_that_is_called_like_a_picture_is_not_waited_for(tmp_path, skip_corrupt):
    write_pictures(tmp_path)
    paths = image_folder(tmp_path, "train", 4, resident_bytes=0).paths
    paths[1].unlink()
    os.mkfifo(paths[1])
    if skip_corrupt:
        assert len(image_folder(tmp_path, "train", 4, skip_corrupt=True)) == len(paths) - 1
    else:
        with pytest.raises(InputError, match=r"unreadable picture .*: it is no regular file"):
            image_folder(tmp_path, "train", 4)
    paths[0].unlink()
    os.mkfifo(paths[0])
    with pytest.raises(InputError, match=r"unreadable picture .*: it is no regular file"):
        image_folder(tmp_path, "train")  # the size of the first one
