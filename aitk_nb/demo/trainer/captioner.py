"""The demo server's captioner: what can be measured in a picture, said in a sentence.

It runs as a trainer does, in its own process, for jobs whose type is one of AI Toolkit's
captioners, and does with files what those do. It has no model: one that nobody has is an error as
it is there, and for the others the log says what is done instead.
"""

import colorsys
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from aitk_nb.demo.trainer.job_row import JobRow

CAPTIONERS = frozenset(
    {
        *("AceStepCaptioner", "Qwen3VLCaptioner", "Qwen3OmniCaptioner", "Ideogram4Captioner"),
        *("MossMusicCaptioner", "Qwen25OmniCaptioner"),
    }
)
DONE = "Captioning completed"
_MAKERS = ("Qwen/", "ai-toolkit/", "huihui-ai/", "ACE-Step/")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_HUES = (
    (0.04, "red"),
    (0.11, "orange"),
    (0.19, "yellow"),
    (0.45, "green"),
    (0.53, "cyan"),
    (0.72, "blue"),
    (0.83, "purple"),
    (0.95, "pink"),
    (1.01, "red"),
)


@dataclass(frozen=True)
class CaptionConfig:
    """What the captioner takes from a job config, with AI Toolkit's defaults and errors."""

    model: str
    folder: Path
    extensions: tuple[str, ...]
    ending: str
    recaption: bool


class Interrupted(Exception):
    """The web side asked the job to stop, or to wait again; the first argument says which."""


def read(process: Mapping[str, Any]) -> CaptionConfig:
    """Return what a process asks for.

    Raises:
        ValueError: something is missing.
    """
    section = process.get("caption")
    caption: Mapping[str, Any] = section if isinstance(section, dict) else {}
    for name in ("model_name_or_path", "extensions", "path_to_caption"):
        if name == "extensions" and not caption.get(name):
            raise ValueError("At least one extension is required in config")
        if caption.get(name) is None:
            raise ValueError(f"{name} is required in config")
    return CaptionConfig(
        model=str(caption["model_name_or_path"]),
        folder=Path(caption["path_to_caption"]),
        extensions=tuple(f".{ending}".lower() for ending in caption["extensions"]),
        ending=str(caption.get("caption_extension", "txt")),
        recaption=bool(caption.get("recaption", False)),
    )


def caption(process: Mapping[str, Any], out: TextIO, row: JobRow | None) -> None:
    """Caption a folder as the process says.

    Raises:
        Interrupted: the web side wanted it.
        OSError: nobody has the model.
        ValueError: the config is incomplete.
    """
    config = read(process)
    _tell(row, "Loading Model")
    _load(config.model, out)
    _tell(row, "Looking for files")
    files = _files(config, out)
    if row is not None:
        row.total(len(files))
        row.step(0)
    _tell(row, f"Captioning {len(files)} files")
    for number, file in enumerate(files):
        _obey(row)
        try:
            _save(config, file, describe(file))
        except Exception as exc:  # noqa: BLE001 (the real one goes on too, whatever it is)
            out.write(f"Error captioning file {file}: {exc}\n")
        out.write(f"\rCaptioning files: {number + 1}/{len(files)}")
        out.flush()
        if row is not None:
            row.step(number + 1)
    line = "*" * 52
    out.write(f"\n{line}\nCaptioning complete\n{line}\n")
    out.flush()


def describe(path: Path) -> str:
    """Return what can be measured in a picture; of anything else its kind and size."""
    if path.suffix.lower() not in _PICTURES:
        return f"a {path.suffix[1:].lower()} file of {path.stat().st_size / 1e6:.1f} MB"
    with Image.open(path) as image:
        width, height = image.size
        small = image.convert("RGB").resize((24, 24))
    pixels = list(small.getdata())
    levels = sorted(sum(pixel) / 765 for pixel in pixels)
    middle, spread = levels[len(levels) // 2], levels[-30] - levels[30]
    light = "dark" if middle < 0.3 else "bright" if middle > 0.65 else "evenly lit"
    shape = "square" if abs(width - height) * 10 < width else "wide" if width > height else "tall"
    contrast = "strong" if spread > 0.6 else "soft" if spread < 0.3 else "medium"
    return f"a {light} {shape} picture, mostly {_color(pixels)}, with {contrast} contrast"


def _color(pixels: list[tuple[int, int, int]]) -> str:
    counts: dict[str, int] = {}
    for red, green, blue in pixels:
        hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
        if value < 0.2:
            name = "black"
        elif saturation < 0.15:
            name = "white" if value > 0.85 else "gray"
        else:
            name = next(name for limit, name in _HUES if hue < limit)
            name = "brown" if name == "orange" and value < 0.65 else name
        counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: (counts[name], name))


def _load(model: str, out: TextIO) -> None:
    if not model.startswith(_MAKERS):
        raise OSError(
            f"{model} is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'\nIf this is a private repository, make sure to pass "
            "a token having permission to this repo."
        )
    out.write(
        f"This is an embedded server, which has no {model}: captions say what can be measured.\n"
    )


def _files(config: CaptionConfig, out: TextIO) -> list[Path]:
    found = sorted(_walk(config))
    if config.recaption:
        out.write(f"Found {len(found)} files to caption\n")
        return found
    without = [file for file in found if not _has_caption(config, file)]
    out.write(f"Found {len(found)} files. {len(without)} need captioning.\n")
    return without


def _walk(config: CaptionConfig) -> Iterator[Path]:
    for root, folders, files in os.walk(config.folder):
        folders[:] = [f for f in folders if f != "_controls" and not f.startswith(".")]
        for name in files:
            if name.lower().endswith(config.extensions) and not name.startswith("."):
                yield Path(root, name)


def _has_caption(config: CaptionConfig, file: Path) -> bool:
    path = file.with_suffix(f".{config.ending}")
    return path.exists() and bool(path.read_text("utf-8").strip())


def _save(config: CaptionConfig, file: Path, text: str) -> None:
    target = file.with_suffix(f".{config.ending}")
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(text, "utf-8")
    shutil.move(draft, target)


def _tell(row: JobRow | None, text: str) -> None:
    if row is not None:
        row.info(text)


def _obey(row: JobRow | None) -> None:
    if row is None:
        return
    flags = row.flags()
    if flags.stop:
        raise Interrupted("stopped")
    if flags.return_to_queue:
        raise Interrupted("queued")
