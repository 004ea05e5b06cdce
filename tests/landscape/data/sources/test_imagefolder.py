import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from landscape.data.augmentation.inception_crop import boxes_of, draw_crops
from landscape.data.samples import Normalization, TensorSamples
from landscape.data.sources.decoding import decode
from landscape.data.sources.imagefolder import FolderSamples, image_folder
from landscape.errors import InputError

IDENTITY = Normalization((0.0,), (1.0,))


def noise(seed, height=6, width=6, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def bytes_of(pixels):
    """(H, W, 3) as (3, H, W)."""
    return torch.from_numpy(pixels).permute(2, 0, 1)


def pictures(samples):
    return samples.fetch(torch.arange(len(samples)))


@pytest.fixture
def root(tmp_path):
    """Two classes; three and two pictures to train with, one each to test with."""
    for k, name in enumerate(["cat/1", "cat/0", "cat/2", "ant/10", "ant/9"]):
        write(tmp_path / "train" / f"{name}.png", noise(k))
    for k, name in enumerate(["cat/x", "ant/x"]):
        write(tmp_path / "val" / f"{name}.png", noise(10 + k))
    return tmp_path


def test_classes_and_pictures_are_in_the_order_of_their_names(root):
    samples = image_folder(root, "train", normalization=IDENTITY)
    assert samples.classes == ("ant", "cat")
    assert samples.targets.tolist() == [0, 0, 1, 1, 1]
    assert samples.targets.dtype == torch.int64
    assert samples.input_shape == (3, 6, 6)
    expected = torch.stack([bytes_of(noise(k)) for k in (3, 4, 1, 0, 2)]).float() / 255
    assert torch.equal(pictures(samples), expected)


def test_the_pixels_are_normalised_to_minus_1_to_1_by_default(root):
    expected = (bytes_of(noise(11)).float() / 255 - 0.5) / 0.5
    assert torch.equal(pictures(image_folder(root, "test"))[0], expected)


@pytest.mark.parametrize("name", ["val", "test", "validation"])
def test_the_held_out_split_may_have_three_names(root, name):
    (root / "val").rename(root / name)
    samples = image_folder(root, "test", normalization=IDENTITY)
    assert torch.equal(pictures(samples)[1] * 255, bytes_of(noise(10)).float())


def test_val_is_taken_where_val_and_test_are_both_there(root):
    write(root / "test" / "ant" / "y.png", noise(20))
    write(root / "test" / "cat" / "y.png", noise(21))
    assert torch.equal(
        pictures(image_folder(root, "test", normalization=IDENTITY))[0] * 255,
        bytes_of(noise(11)).float(),
    )


@pytest.mark.parametrize("image_size", [None, 4, 9])
def test_decoded_on_demand_equals_decoded_once(root, image_size):
    write(root / "train" / "ant" / "a.jpg", noise(30, 20, 13))
    write(root / "train" / "cat" / "grey.jpg", noise(31, 7, 12, channels=1))
    resident = image_folder(root, "train", image_size)
    lazy = image_folder(root, "train", image_size, resident_bytes=0)
    assert isinstance(resident, TensorSamples)
    assert isinstance(lazy, FolderSamples)
    assert len(lazy) == len(resident) == 7
    assert lazy.input_shape == resident.input_shape
    assert lazy.classes == resident.classes
    assert torch.equal(lazy.targets, resident.targets)
    order = torch.tensor([6, 0, 3, 3, 1])
    assert torch.equal(lazy.fetch(order), resident.fetch(order))


def test_random_crops_are_those_of_the_picture_in_its_own_pixels(root):
    """Also of a JPEG so large that it is decoded at a part of its size."""
    write(root / "train" / "ant" / "0.png", noise(8, 40, 90))
    smooth = np.add.outer(np.arange(600) // 4, np.arange(800) // 8)
    write(root / "train" / "ant" / "1.jpg", np.repeat(smooth[..., None], 3, 2).astype(np.uint8))
    samples = image_folder(root, "train", 12, IDENTITY, resident_bytes=0)
    crops = draw_crops(2, torch.Generator().manual_seed(1))
    shown = 255 * samples.fetch(torch.arange(2), crops)
    for path, crop, ours, levels in zip(samples.paths[:2], crops, shown, (1e-3, 3), strict=True):
        picture = Image.open(path).convert("RGB")
        ((left, top, width, height, is_mirrored),) = boxes_of(
            crop.unsqueeze(0), picture.height, picture.width
        ).tolist()
        cut = picture.crop((left, top, left + width, top + height))
        cut = cut.resize((12, 12), Image.Resampling.BILINEAR)
        expected = bytes_of(np.array(cut)).float()
        expected = expected.flip(2) if is_mirrored else expected
        torch.testing.assert_close(ours, expected, rtol=0, atol=levels)


def test_the_size_is_the_first_pictures_shorter_side_unless_it_is_given(root):
    write(root / "train" / "ant" / "0.png", noise(5, 9, 12))
    assert image_folder(root, "train").input_shape == (3, 9, 9)
    assert image_folder(root, "train", 4).input_shape == (3, 4, 4)


def test_every_split_has_the_size_of_the_training_pictures(root):
    """A network is made for one size; the size of the held-out pictures is no other choice."""
    write(root / "val" / "ant" / "0.png", noise(5, 9, 9))
    assert image_folder(root, "test").input_shape == image_folder(root, "train").input_shape


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "bmp", "webp", "tif", "gif", "ppm"])
def test_formats(root, suffix):
    write(root / "train" / "ant" / f"z.{suffix}", noise(5))
    assert len(image_folder(root, "train")) == 6


def test_other_files_are_left_alone_and_folders_within_classes_searched(root):
    (root / "train" / "ant" / "notes.txt").write_text("no picture")
    (root / "train" / "labels.csv").write_text("no class")
    write(root / "train" / "ant" / "more" / "deep.png", noise(5))
    samples = image_folder(root, "train", normalization=IDENTITY)
    assert samples.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(pictures(samples)[2] * 255, bytes_of(noise(5)).float())


def test_a_jpeg_is_decoded_as_pillow_does(tmp_path):
    path = write(tmp_path / "a.jpg", noise(1, 16, 16))
    with Image.open(path) as picture:
        expected = bytes_of(np.array(picture))
    assert torch.equal(decode(path, 16), expected)


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = noise(1, channels=1)
    decoded = decode(write(tmp_path / "a.png", grey), 6)
    assert torch.equal(decoded, torch.from_numpy(grey).expand(3, 6, 6))


def test_16_bit_grey_is_scaled_and_not_cut_off(tmp_path):
    grey = noise(1, channels=1)
    path = write(tmp_path / "a.png", grey.astype(np.uint16) * 257)
    with Image.open(path) as picture:
        assert picture.mode.startswith("I")  # "I" or "I;16", by the release of Pillow
    assert torch.equal(decode(path, 6), torch.from_numpy(grey).expand(3, 6, 6))


def test_a_palette_is_looked_up(tmp_path):
    indices = noise(1, channels=1) % 4
    colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 8, 9]]
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette([value for colour in colours for value in colour])
    picture.save(tmp_path / "a.png")
    expected = bytes_of(np.array(colours, dtype=np.uint8)[indices])
    assert torch.equal(decode(tmp_path / "a.png", 6), expected)


def test_the_transparency_of_a_palette_is_dropped_without_a_warning(tmp_path):
    picture = Image.fromarray(noise(1, channels=1) % 4).convert("P")
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.png", transparency=bytes([0, 100, 200, 255]))
    assert torch.equal(decode(tmp_path / "b.png", 6), decode(tmp_path / "a.png", 6))


def test_transparency_is_dropped(tmp_path):
    path = write(tmp_path / "a.png", noise(1, channels=4))
    assert torch.equal(decode(path, 6), bytes_of(noise(1, channels=4)[..., :3]))


def test_a_picture_that_is_wider_or_higher_keeps_its_centre(tmp_path):
    wide = write(tmp_path / "wide.png", noise(1, 6, 10))
    assert torch.equal(decode(wide, 6), bytes_of(noise(1, 6, 10)[:, 2:8]))
    high = write(tmp_path / "high.png", noise(1, 11, 6))
    assert torch.equal(decode(high, 6), bytes_of(noise(1, 11, 6)[2:8]))


@pytest.mark.parametrize(("height", "width"), [(12, 12), (12, 30), (31, 12), (3, 3), (3, 5)])
def test_resizing_keeps_the_sides_ratio(tmp_path, height, width):
    """The shorter side becomes 6 by bicubic interpolation, then the centre is cut out."""
    picture = Image.fromarray(noise(1, height, width))
    picture.save(tmp_path / "a.png")
    scale = 6 / min(height, width)
    resized = picture.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    left, top = round((resized.width - 6) / 2), round((resized.height - 6) / 2)
    expected = np.array(resized)[top : top + 6, left : left + 6]
    assert torch.equal(decode(tmp_path / "a.png", 6), bytes_of(expected))


def test_a_picture_of_the_right_size_is_not_touched(tmp_path):
    path = write(tmp_path / "a.png", noise(1))
    assert torch.equal(decode(path, 6), bytes_of(noise(1)))


def refused(root, split="train"):
    with pytest.raises(InputError) as caught:
        image_folder(root, split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_folder(tmp_path):
    assert refused(tmp_path / "absent") == f"no such folder: --data-dir {tmp_path / 'absent'}"


def test_a_file_for_a_folder(tmp_path):
    write(tmp_path / "a.png", noise(1))
    assert "no such folder" in refused(tmp_path / "a.png")


def test_no_split_folder(root):
    (root / "val").rename(root / "holdout")
    message = refused(root, "test")
    assert f"{root} has no val/ or test/ or validation/ folder" in message
    assert "it has: holdout/, train/" in message


def test_nothing_in_the_folder(tmp_path):
    assert "has no train/ folder (it has: none)" in refused(tmp_path)


def test_no_class_folders(tmp_path):
    write(tmp_path / "train" / "a.png", noise(1))
    assert f"{tmp_path / 'train'} has no class folders" in refused(tmp_path)


def test_empty_class_folders(tmp_path):
    for name in ("ant", "cat"):
        (tmp_path / "train" / name).mkdir(parents=True)
    message = refused(tmp_path)
    assert f"no pictures in {tmp_path / 'train'}" in message
    assert ".png" in message


@pytest.mark.parametrize("split", ["train", "test"])
def test_splits_with_different_classes(root, split):
    write(root / "val" / "dog" / "x.png", noise(1))
    message = refused(root, split)
    assert "have different classes: dog is in one only" in message
    assert str(root / "train") in message
    assert str(root / "val") in message


def damaged(kind, path):
    if kind == "text":
        path.write_text("this is no picture")
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        write(path, noise(1, 64, 64))
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * 0.6)])


@pytest.mark.parametrize("position", ["first", "last"])
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("text", "png"), ("empty", "jpg"), ("truncated", "jpg"), ("truncated", "png")],
)
def test_an_unreadable_picture_is_named(root, kind, suffix, position):
    path = root / "train" / ("ant/0" if position == "first" else "cat/z")
    path = path.with_suffix(f".{suffix}")
    damaged(kind, path)
    assert f"unreadable picture {path}: " in refused(root)


def test_an_unreadable_picture_is_named_when_it_is_decoded_on_demand(root):
    path = root / "train" / "cat" / "z.jpg"
    damaged("truncated", path)
    samples = image_folder(root, "train", resident_bytes=0)
    assert samples.fetch(torch.arange(5)).shape == (5, 3, 6, 6)
    with pytest.raises(InputError, match=r"unreadable picture .*train/cat/z\.jpg"):
        samples.fetch(torch.arange(6))


def test_a_picture_that_went_away_is_named(root):
    samples = image_folder(root, "train", resident_bytes=0)
    shutil.rmtree(root / "train" / "cat")
    with pytest.raises(InputError, match=r"unreadable picture .*train/cat/0\.png"):
        samples.fetch(torch.arange(5))
