"""`LocalDataset.buckets` places images as the trainer does."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.datasets.local.buckets import place, plan
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput
from aitk_nb.training.effective import divisibility
from aitk_nb.training.plan import bucket_size
from tests.datasets.pictures import picture

SIDE = st.integers(1, 9000)
RESOLUTION = st.sampled_from([256, 512, 768, 1024, 1328])
MULTIPLE = st.sampled_from([8, 16, 32, 64])


@pytest.mark.parametrize(
    ("size", "resolution", "multiple", "bucket"),
    [
        # Computed by hand from the formulas of toolkit/buckets.py: the scaled sides, and of their
        # four roundings the one nearest in area that is not above resolution squared.
        ((1024, 1024), 1024, 16, (1024, 1024)),
        ((4000, 3000), 1024, 16, (1168, 896)),  # 73.90 and 55.43 sixteenths: 73 × 56 is nearest
        ((3000, 4000), 1024, 16, (896, 1168)),
        ((1920, 1080), 1024, 32, (1344, 768)),  # 42.67 and 24.0
        ((1920, 1080), 512, 16, (672, 384)),  # 42.67 and 24.0
        ((300, 200), 1024, 16, (288, 208)),  # it is not enlarged: 18.75 and 12.5 give 18 × 13
        ((512, 600), 512, 16, (480, 544)),  # 29.56 and 34.64: 30 × 34 is nearest
        ((5, 5), 512, 16, (16, 16)),  # of its four roundings only the largest is above nothing
        ((9000, 5), 512, 16, (8992, 16)),  # 562.5 and 0.31: a half is rounded to the nearer area
    ],
)
def test_sizes_computed_from_the_trainers_formulas(
    size: tuple[int, int], resolution: int, multiple: int, bucket: tuple[int, int]
) -> None:
    """The same bucket as the trainer's."""
    assert bucket == bucket_size(*size, resolution, multiple)


@given(SIDE, SIDE, RESOLUTION, MULTIPLE)
def test_what_holds_for_every_size(width: int, height: int, resolution: int, multiple: int) -> None:
    """Sides are multiples, the area stays below the resolution's, and the crop is the rest."""
    found = place(width, height, resolution, multiple)
    assert found.width % multiple == found.height % multiple == 0
    assert min(found.width, found.height) >= multiple
    squeezed = min(found.width, found.height) == multiple
    assert found.width * found.height <= resolution**2 or squeezed
    assert found.is_full == (width * height >= resolution**2)
    assert 0 <= found.cropped < 1
    # Lying and standing pictures are treated alike.
    turned = bucket_size(height, width, resolution, multiple)
    assert turned[0] * turned[1] == found.width * found.height


@given(SIDE, SIDE, RESOLUTION, MULTIPLE)
def test_no_other_rounding_is_nearer(
    width: int, height: int, resolution: int, multiple: int
) -> None:
    """Of the sizes around the scaled one it is the nearest in area that fits."""
    wanted = min(width * height, resolution**2)
    scale = math.sqrt(wanted / (width * height))
    found = bucket_size(width, height, resolution, multiple)
    for columns in (math.floor(width * scale / multiple), math.ceil(width * scale / multiple)):
        for rows in (math.floor(height * scale / multiple), math.ceil(height * scale / multiple)):
            area = columns * rows * multiple**2
            if 0 < area <= resolution**2:
                assert abs(found[0] * found[1] - wanted) <= abs(area - wanted)


@given(st.dictionaries(st.text(), st.tuples(SIDE, SIDE)), st.integers(1, 5), st.integers(1, 4))
def test_every_image_is_in_one_bucket_of_each_resolution(
    sizes: dict[str, tuple[int, int]], batch: int, repeats: int
) -> None:
    """Nothing is lost or counted twice; a batch comes from one bucket."""
    found = plan(sizes, (512, 768), batch_size=batch, repeats=repeats)
    for resolution in (512, 768):
        here = [bucket for bucket in found.buckets if bucket.resolution == resolution]
        assert sorted(name for bucket in here for name in bucket.images) == sorted(sizes)
        assert all(bucket.steps == -(-len(bucket.images) * repeats // batch) for bucket in here)
    assert found.steps_per_epoch >= 2 * len(sizes) * repeats / batch
    assert found.images == len(sizes)


def test_of_a_dataset(tmp_path: Path) -> None:
    """Sizes are upright, broken pictures are left out, and the table says steps per epoch."""
    for number in range(5):
        picture(tmp_path / f"{number}.png", (640, 480))
    picture(tmp_path / "small.png", (100, 100))
    (tmp_path / "broken.png").write_bytes(b"no")
    dataset = LocalDataset(tmp_path)
    found = dataset.buckets((256, 512), arch="flux2", batch_size=2)
    assert found.images == 6
    assert found.resolutions == (256, 512)
    assert found.steps_per_epoch == 2 * (3 + 1)
    assert found.epochs(80) == 10
    assert "6 images in 4 buckets, 2 at a time: 8 steps per epoch" in repr(found)
    shown = found._repr_mimebundle_()
    assert "96 × 112" in shown["text/plain"]
    assert "<table" in shown["text/html"]
    assert found.placed["small.png", 512].is_full is False
    asked = dataset.check(Requirements(resolution=(768,), arch="qwen_image")).buckets()
    assert (asked.resolutions, asked.divisibility) == ((768,), 32)
    with pytest.raises(BadInput, match="at least 1"):
        dataset.buckets((512,), batch_size=0)


def test_the_multiples_of_architectures() -> None:
    """The variant behind a colon trains as its model."""
    assert [divisibility(arch) for arch in ("", "flux", "flux2", "qwen_image:2512")] == [
        32,
        32,
        16,
        32,
    ]
