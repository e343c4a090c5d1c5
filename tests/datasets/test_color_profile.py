"""Colors in training are those that people see: profiles are told, and converted to sRGB.

The trainer opens a file with Pillow and converts it to RGB, which ignores its profile and takes
its first frame.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from aitk_nb.datasets.local.dataset import FixReport, LocalDataset
from aitk_nb.datasets.local.problems import Code
from tests.datasets.pictures import image

RED, GREEN, BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
"""sRGB's colorants in the profiles' D50."""


def fixed16(*values: float) -> bytes:
    """Return numbers as a profile holds them."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a profile of version 2 with these tags."""
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0" + b"\0" * 78
    tags = {
        b"desc": name,
        b"cprt": b"text\0\0\0\0free\0",
        b"wtpt": b"XYZ \0\0\0\0" + fixed16(0.9642, 1, 0.8249),
        **tags,
    }
    at, table, body = 132 + 12 * len(tags), b"", b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", at + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    head = struct.pack(">I4sI", at + len(body), b"test", 0x02100000) + kind + space + connection
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += fixed16(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def gamma(power: float) -> bytes:
    """Return a curve."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(power * 256))


def rgb_profile(red: Any, green: Any, blue: Any, power: float = 2.2) -> bytes:
    """Return a profile of three colorants and a gamma."""
    channels = dict(zip((b"r", b"g", b"b"), (red, green, blue), strict=True))
    tags = {b"%sXYZ" % key: b"XYZ \0\0\0\0" + fixed16(*xyz) for key, xyz in channels.items()}
    tags |= {b"%sTRC" % key: gamma(power) for key in channels}
    return icc(b"mntr", b"RGB ", b"XYZ ", tags)


def cmyk_profile() -> bytes:
    """Return a profile in which only black ink shows: the others are invisible."""
    grid = bytes(
        value for ink in range(16) for value in ((0, 128, 128) if ink & 1 else (255, 128, 128))
    )
    ramp = bytes(range(256))
    identity = fixed16(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    return icc(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


SWAPPED = rgb_profile(BLUE, RED, GREEN)
"""What it calls red is blue, green is red, and blue is green."""
ADOBE = rgb_profile(
    (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)
)
LINEAR_GRAY = icc(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma(1)})
"""Half the light is 128 in it, and 188 in sRGB."""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOR = (200, 80, 40)
SEEN = (79, 35, 201)
"""`COLOR` by the swapped profile, and from its gamma of 2.2 to sRGB's curve."""


def plain(mode: str, color: Any) -> Image.Image:
    """Return an image of one color."""
    return Image.new(mode, (64, 64), color)


def gray16() -> Image.Image:
    """Return an image with 16 bits per pixel, half as bright as can be."""
    return Image.fromarray(np.full((64, 64), 128 * 257, dtype=np.uint16))


def palette() -> Image.Image:
    """Return an image of one color, by a palette."""
    return plain("RGB", COLOR).quantize(4)


def fixed_copy(folder: Path, name: str, picture: Image.Image, **options: Any) -> FixReport:
    """Return the corrected copy of a dataset of one picture."""
    source = folder / "set"
    source.mkdir()
    picture.save(source / name, **options)
    return LocalDataset(source).fix(folder / "fixed", background="#00ff00")


@pytest.mark.parametrize(
    ("name", "picture", "profile", "shown"),
    [
        ("a.png", plain("RGB", COLOR), SWAPPED, SEEN),
        ("a.jpg", plain("RGB", COLOR), SWAPPED, SEEN),
        ("a.webp", plain("RGB", COLOR), SWAPPED, SEEN),
        ("a.tif", plain("RGB", COLOR), SWAPPED, SEEN),
        ("a.png", plain("RGBA", (*COLOR, 255)), SWAPPED, SEEN),
        ("a.png", plain("RGBA", (*COLOR, 0)), SWAPPED, (0, 255, 0)),
        ("a.png", palette(), SWAPPED, SEEN),
        ("a.png", plain("RGB", (0, 255, 0)), ADOBE, (0, 255, 0)),
        ("a.png", plain("RGB", (100, 150, 100)), ADOBE, (66, 151, 97)),
        ("a.png", plain("L", 128), LINEAR_GRAY, (188,) * 3),
        ("a.png", plain("LA", (128, 255)), LINEAR_GRAY, (188,) * 3),
        ("a.png", plain("LA", (128, 0)), LINEAR_GRAY, (0, 255, 0)),
        ("a.png", gray16(), LINEAR_GRAY, (188,) * 3),
        ("a.png", plain("L", 128), rgb_profile(RED, GREEN, BLUE, 1), (188,) * 3),
        ("a.jpg", plain("CMYK", (255, 255, 255, 0)), cmyk_profile(), (255,) * 3),
        ("a.tif", plain("CMYK", (0, 0, 0, 255)), cmyk_profile(), (0,) * 3),
    ],
)
def test_every_mode_becomes_srgb(
    tmp_path: Path,
    name: str,
    picture: Image.Image,
    profile: bytes,
    shown: tuple[int, ...],
) -> None:
    """The color is the one that the profile means, and the copy needs no profile anymore."""
    report = fixed_copy(tmp_path, name, picture, icc_profile=profile)

    (path,) = report.dataset.images
    with Image.open(path) as copy:
        assert "icc_profile" not in copy.info
        found = copy.convert("RGB").getpixel((30, 30))
    assert np.abs(np.subtract(found, shown)).max() <= 3
    assert "converted to sRGB" in report.changes[0].text
    assert not {p.code for p in report.dataset.problems} & {Code.COLOR_PROFILE, Code.TRANSPARENT}


@pytest.mark.parametrize(
    ("picture", "profile"),
    [
        (plain("RGB", COLOR), SRGB),
        (plain("RGB", COLOR), b"no profile"),
        (plain("RGB", COLOR), LINEAR_GRAY),
        (plain("L", 90), cmyk_profile()),
        (plain("RGB", COLOR), SWAPPED[:200]),
    ],
)
def test_a_profile_without_effect_is_left_alone(
    tmp_path: Path, picture: Image.Image, profile: bytes
) -> None:
    """It is sRGB itself, damaged, or of another kind of image: the file stays as it is."""
    report = fixed_copy(tmp_path, "a.png", picture, icc_profile=profile)
    assert report.changes == ()
    assert (tmp_path / "fixed/a.png").read_bytes() == (tmp_path / "set/a.png").read_bytes()


def test_what_the_trainer_ignores_is_told(tmp_path: Path) -> None:
    """Profiles by their names, CMYK without one, and frames after the first."""
    folder, later = tmp_path / "set", [image("d"), image("e")]
    folder.mkdir()
    image("a").save(folder / "profile.png", icc_profile=ADOBE)
    image("b").convert("CMYK").save(folder / "print.jpg")
    for name in ("still.webp", "moving.png"):
        image(name).save(folder / name, save_all=True, append_images=later, lossless=True)
    image("f").save(folder / "phone.jpg", "MPO", save_all=True, append_images=later)
    dataset = LocalDataset(folder)
    told = (Code.COLOR_PROFILE, Code.ANIMATION)
    animation = "is an animation, of which the trainer takes only the first frame"
    assert {p.message for p in dataset.problems if p.code in told} == {
        "'profile.png' has the color profile 'Wide', which the trainer ignores",
        "'print.jpg' is in CMYK, which the trainer converts without a color profile",
        f"'still.webp' {animation}",
        f"'moving.png' {animation}",
    }
    report = dataset.fix(tmp_path / "fixed")
    for made, name in (("still.png", "still.webp"), ("moving.png", "moving.png")):
        with Image.open(tmp_path / "fixed" / made) as still:
            assert getattr(still, "n_frames", 1) == 1
            assert np.array_equal(np.asarray(still.convert("RGB")), np.asarray(image(name)))
    assert {p.code for p in report.dataset.problems} == {Code.NO_CAPTION}


def test_a_transparent_control_image_stays_transparent(tmp_path: Path) -> None:
    """The trainer puts it on a color of the job's; the visible part is in sRGB."""
    (tmp_path / "set/control").mkdir(parents=True)
    image("a").save(tmp_path / "set/a.png")
    control = plain("RGBA", (*COLOR, 255))
    control.putpixel((0, 0), (0, 0, 0, 0))
    control.save(tmp_path / "set/control/a.png", icc_profile=SWAPPED)
    LocalDataset(tmp_path / "set").fix(tmp_path / "fixed")
    with Image.open(tmp_path / "fixed/control/a.png") as copy:
        assert copy.getpixel((0, 0)) == (0, 0, 0, 0)
        assert np.abs(np.subtract(copy.getpixel((30, 30)), (*SEEN, 255))).max() <= 3
