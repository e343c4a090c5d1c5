"""What a training job leaves in its folder: checkpoints, optimizer, samples.

A file is written under a hidden name that ends in `.part`, and renamed when it is whole; but a
checkpoint that takes its time is written in place, as the real one is.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from aitk_nb.demo.trainer.config import JobConfig
from aitk_nb.demo.trainer.denoiser import Denoiser, Floats

_VERSION = "1.0"
_SIZES = {"BF16": 2, "F16": 2, "F32": 4}
_FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}
_SOFTWARE = {"name": "aitk-nb demo trainer", "repo": "", "version": _VERSION}


@dataclass(frozen=True)
class Checkpoint:
    """A LoRA as it was read from its file."""

    path: Path
    step: int
    tensors: Mapping[str, Floats]


class JobFolder:
    """The folder of one job, under the names that AI Toolkit uses."""

    def __init__(self, config: JobConfig) -> None:
        """Use the folder of `config`; `prepare` makes it."""
        self._config = config
        self._save_seconds = float(os.environ.get("AITK_DEMO_SAVE_SECONDS", "0"))
        self.root = config.root

    def prepare(self) -> None:
        """Make the folder, write `config.yaml`, and remove what a killed run left unfinished."""
        self.root.mkdir(parents=True, exist_ok=True)
        for rest in (*self.root.glob(".*.part"), *self.root.glob("samples/.*.part")):
            rest.unlink(missing_ok=True)
        text = yaml.safe_dump(self._config.raw, sort_keys=False, allow_unicode=True)
        self._write(self.root / "config.yaml", text.encode("utf-8", "replace"))

    def save(self, step: int | None, info: Mapping[str, int], tensors: dict[str, Floats]) -> Path:
        """Write a checkpoint, numbered unless `step` is None, and drop those too many."""
        number = "" if step is None else f"_{step:09d}"
        path = self.root / f"{self._config.name}{number}.safetensors"
        content = safetensors_bytes(tensors, self._config.save.dtype, self._notes(info))
        if self._save_seconds:
            self._write_slowly(path, content)
        else:
            self._write(path, content)
        numbered = self._numbered()
        if self._config.save.keep > 0:
            for old in numbered[: -self._config.save.keep]:
                old.unlink(missing_ok=True)
        return path

    def save_optimizer(self, step: int, state: Mapping[str, Floats]) -> Path:
        """Write `optimizer.pt` (a NumPy archive) for the checkpoint of `step`."""
        buffer = io.BytesIO()
        np.savez(buffer, **state, checkpoint=np.array(step, np.float64))  # type: ignore[arg-type]
        path = self.root / "optimizer.pt"
        self._write(path, buffer.getvalue())
        return path

    def newest(self) -> Checkpoint | None:
        """Return the checkpoint written last, or None when there is none to go on from."""
        name = self._config.name
        files = [*self._numbered(), self.root / f"{name}.safetensors"]
        dated = [(file.stat().st_mtime_ns, file) for file in files if file.is_file()]
        return _read_checkpoint(max(dated)[1]) if dated else None

    def optimizer(self, step: int) -> dict[str, Floats] | None:
        """Return the optimizer's state if it belongs to the checkpoint of `step`."""
        path = self.root / "optimizer.pt"
        try:
            with np.load(path, allow_pickle=False) as archive:
                state = {key: archive[key] for key in ("mean", "square", "steps")}
                fits = int(archive["checkpoint"]) == step
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # missing, or of the real trainer
        return state if fits else None

    def save_sample(self, step: int, number: int, picture: Image.Image) -> Path:
        """Write a painted picture under the time of now."""
        ending = self._config.sample.format
        if ending not in _FORMATS:
            raise ValueError(f"Unknown image format {ending!r} in sample.format.")
        buffer = io.BytesIO()
        picture.save(buffer, _FORMATS[ending], quality=90)
        moment = time.time_ns() // 1_000_000
        path = self.root / "samples" / f"{moment}__{step:09d}_{number}.{ending}"
        self._write(path, buffer.getvalue())
        return path

    def _numbered(self) -> list[Path]:
        pattern = re.compile(re.escape(self._config.name) + r"_\d{9,}\.safetensors")
        if not self.root.is_dir():
            return []
        return sorted(file for file in self.root.iterdir() if pattern.fullmatch(file.name))

    def _notes(self, info: Mapping[str, int]) -> dict[str, str]:
        name, trigger = self._config.name, self._config.trigger
        meta = self._config.raw.get("meta")
        notes = {
            "name": name,
            "version": _VERSION,
            **{k: _text(v) for k, v in (meta if isinstance(meta, dict) else {}).items()},
            "training_info": json.dumps(dict(info)),
            "software": json.dumps(_SOFTWARE),
            "ss_output_name": name,
            "ss_base_model_version": self._config.base_model,
            "format": "pt",
        }
        if trigger:
            notes["ss_tag_frequency"] = json.dumps({f"1_{trigger}": {trigger: 1}})
        return notes

    def _write_slowly(self, path: Path, content: bytes) -> None:
        time.sleep(self._save_seconds / 2)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = len(content) // 2
        with path.open("wb", buffering=0) as file:
            file.write(content[:half])
            time.sleep(self._save_seconds / 2)
            file.write(content[half:])

    def _write(self, path: Path, content: bytes) -> None:
        # Deleting a job does not stop it, and its next file brings the folder back.
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def begin_with(path: str, denoiser: Denoiser, say: Callable[[str], None]) -> None:
    """Take the weights of another LoRA, if there is one, but not its step and its optimizer."""
    if path and not Path(path).exists():
        say(f"Pretrained lora path from config does not exist: {path}")
    elif path:
        say(f"Using pretrained lora path from config: {path}")
        say(f"#### IMPORTANT RESUMING FROM {path} ####\nLoading from {path}")
        if missing := denoiser.load(_read_checkpoint(Path(path)).tensors):
            say(f"Missing keys: {missing}")


def safetensors_bytes(tensors: Mapping[str, Floats], dtype: str, notes: Mapping[str, str]) -> bytes:
    """Return a safetensors file; NumPy has no bfloat16, so the format is written here."""
    data = {name: _packed(tensors[name], dtype) for name in sorted(tensors)}
    body = b"".join(data.values())
    header: dict[str, object] = {
        "__metadata__": {**notes, "sshs_model_hash": hashlib.sha256(body).hexdigest()}
    }
    at = 0
    for name, content in data.items():
        place = [at, at + len(content)]
        header[name] = {"dtype": dtype, "shape": tensors[name].shape, "data_offsets": place}
        at += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def safetensors_read(content: bytes) -> tuple[dict[str, Floats], dict[str, str]]:
    """Return the tensors, as float32, and the metadata of a safetensors file.

    Raises:
        ValueError: it is no such file, or not all of one.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    notes = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        low, high = entry["data_offsets"]
        part = content[8 + size + low : 8 + size + high]
        if len(part) != high - low:
            raise ValueError("The file ends too early.")
        tensors[name] = _unpacked(part, entry["dtype"]).reshape(entry["shape"])
    return tensors, notes


def _packed(numbers: Floats, dtype: str) -> bytes:
    if dtype == "F32":
        return np.ascontiguousarray(numbers, "<f4").tobytes()
    if dtype == "F16":
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(numbers, "<f2").tobytes()
    bits = np.ascontiguousarray(numbers, "<f4").view("<u4")
    # Round to the nearest of the upper halves, to the even one of two; NaN must stay NaN.
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    rounded = np.where(np.isnan(numbers), np.uint32(0x7FC0), rounded)
    return rounded.astype("<u2").tobytes()


def _unpacked(content: bytes, dtype: str) -> Floats:
    if dtype == "BF16":
        upper: Floats = (np.frombuffer(content, "<u2").astype("<u4") << np.uint32(16)).view("<f4")
        return upper
    if dtype not in _SIZES:
        raise ValueError(f"A checkpoint with numbers of type {dtype} cannot be continued.")
    return np.frombuffer(content, "<f2" if dtype == "F16" else "<f4").astype(np.float32)


def _read_checkpoint(path: Path) -> Checkpoint:
    tensors, notes = safetensors_read(path.read_bytes())
    info = json.loads(notes.get("training_info", "{}"))
    return Checkpoint(path, int(info.get("step", 0)), tensors)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
