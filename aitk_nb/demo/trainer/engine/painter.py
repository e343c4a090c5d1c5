"""Paints what a request asks for, with the small model and the LoRAs that the request names."""

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aitk_nb.demo.trainer import flow, models
from aitk_nb.demo.trainer.denoiser import Denoiser, Shape
from aitk_nb.demo.trainer.engine.requests import Request
from aitk_nb.demo.trainer.files import safetensors_read
from aitk_nb.demo.trainer.patches import COEFFICIENTS, SIDE, decode, grid_of
from aitk_nb.demo.trainer.photographs import SHRINK

REGISTRY: dict[str, dict[str, str]] = {
    "zimage": {"name_or_path": "Tongyi-MAI/Z-Image-Turbo"},
    "flex1": {"name_or_path": "ostris/Flex.1-alpha"},
    "sd1": {"name_or_path": "stable-diffusion-v1-5/stable-diffusion-v1-5"},
}
"""The checkpoint of an architecture for which a request names none."""
SAMPLE = {"width": 1024, "height": 1024, "num_inference_steps": 25, "guidance_scale": 4}
NEED_A_CONTROL_IMAGE = frozenset({"flux_kontext", "qwen_image_edit"})

_KNOWN = frozenset(
    {*SAMPLE, "prompt", "negative_prompt", "seed", "num_frames", "fps", "duration", "output_ext"}
    | {"ctrl_img", "ctrl_img_1", "ctrl_img_2", "ctrl_img_3", "network_multiplier", "sampler"}
)
_TOLD = ("prompt", "negative_prompt", "width", "height", "num_inference_steps", "guidance_scale")
_AREA = 96 * 96
"""Pixels that are painted at most; the picture is made as large as asked for."""


class Cancelled(Exception):
    """The request was cancelled."""


class Painter:
    """Holds the model that was used last."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Keep outputs and control images below `folder`, and tell by `say` what is being done."""
        self._folder = folder
        self._say = say
        self._key = ""
        self.active: dict[str, object] | None = None

    def paint(self, request: Request) -> None:
        """Do what a request asks for, with all its frames but those of its end."""
        request.info.update(status="running", started_at=time.time())
        started = time.monotonic()
        request.tell("status", message=f"Loading {request.info['arch']}")
        model = self._model(request)
        self._say(f"Loading {model['arch']}: {model['name_or_path']}")
        denoiser = self._denoiser(model, request)
        sample = _sample(request, self._folder)
        seconds = time.monotonic() - started
        request.tell("status", message=f"Loaded {model['arch']} in {seconds:.1f}s (pool hits 0)")
        told = {key: sample.get(key) for key in _TOLD}
        told |= {"seed": sample["seed"], "num_frames": 1, "fps": 16}
        lora_facts = {"loras": model.get("loras", []), "lora_mode": model.get("lora_mode", "hook")}
        request.tell(
            "start", model={**model, **lora_facts}, sample=told, modality="image", preview=_PREVIEW
        )
        pixels = self._steps(denoiser, sample, request)
        took = time.monotonic() - started
        self._finish(request, sample, pixels, took)

    def unload(self) -> None:
        """Forget the model."""
        self._key, self.active = "", None

    def _model(self, request: Request) -> dict[str, Any]:
        arch = str(request.model["arch"])
        model = {**REGISTRY.get(arch.partition(":")[0], {}), **request.model}
        if not model.get("name_or_path"):
            raise ValueError("name_or_path must be specified")
        return model

    def _denoiser(self, model: Mapping[str, Any], request: Request) -> Denoiser:
        scaled = models.is_scaled(models.arch_of(model))
        denoiser = Denoiser(Shape(flow.FEATURES, COEFFICIENTS, 1, 1.0, scaled), 0)
        loaded = []
        for lora in model.get("loras") or []:
            if not lora.get("path"):
                continue
            strength = float(lora.get("strength", 1.0))
            tensors, _ = safetensors_read(Path(lora["path"]).read_bytes())
            count = denoiser.merge(tensors, strength)
            name = lora.get("name") or Path(lora["path"]).name
            if not count:
                raise ValueError(f"LoRA {name} matched no modules")
            request.tell("status", message=f"LoRA {name}: {count} modules, strength {strength:g}")
            loaded.append({"name": name, "path": lora["path"], "strength": strength})
        self.active = {"model": dict(model), "arch": model["arch"], "loras": loaded}
        return denoiser

    def _steps(
        self, denoiser: Denoiser, sample: Mapping[str, Any], request: Request
    ) -> np.ndarray[Any, Any]:
        width, height, total = sample["width"], sample["height"], sample["num_inference_steps"]
        # As small as the trainer saw its pictures: what it has learned does not fit another size.
        grid = grid_of(min(width * height / SHRINK**2, _AREA), width / height)
        every = int(request.stream.get("every_n_steps", 1)) or 1
        wants_latents = request.stream.get("latents", "raw") == "raw"
        request.info["total_steps"] = total
        began, painted = time.monotonic(), np.zeros((grid.count, COEFFICIENTS), np.float32)
        for step, painted in enumerate(
            flow.paint_steps(denoiser, sample["prompt"], grid, sample["seed"], total), 1
        ):
            if request.is_cancelled:
                raise Cancelled
            request.info["step"] = step
            self._say(f"Generating {step}/{total}")
            elapsed = round(time.monotonic() - began, 3)
            request.tell("progress", step=step, total=total, elapsed=elapsed)
            if wants_latents and ((step - 1) % every == 0 or step == total):
                colors = decode(painted, grid)[:: SIDE // 2, :: SIDE // 2].transpose(2, 0, 1)[None]
                payload = np.ascontiguousarray(colors, "<f2").tobytes()
                first = {"preview": _PREVIEW} if step == 1 else {}
                shape = list(colors.shape)
                facts = {"layout": "BCHW", "shape": shape, "dtype": "float16", **first}
                request.tell("latent", payload, step=step, total=total, **facts)
        return decode(painted, grid)

    def _finish(
        self,
        request: Request,
        sample: Mapping[str, Any],
        pixels: np.ndarray[Any, Any],
        seconds: float,
    ) -> None:
        clean = np.nan_to_num(np.clip((pixels + 1) * 127.5, 0, 255)).astype(np.uint8)
        size = (sample["width"], sample["height"])
        picture = Image.fromarray(clean).resize(size, Image.Resampling.BICUBIC)
        folder = self._folder / "outputs" / request.id
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.time_ns() // 1_000_000}_0.png"
        picture.save(path, compress_level=1)
        steps, seed = sample["num_inference_steps"], sample["seed"]
        arch = request.info["arch"]
        what = f"{arch} {size[0]}x{size[1]} in {seconds:.2f}s ({steps} steps, seed {seed})"
        request.tell("status", message=f"Generated {what}")
        result = {
            "path": str(path),
            "relpath": str(path.relative_to(self._folder / "outputs")),
            "kind": "image",
            "ext": "png",
            "bytes": path.stat().st_size,
            "seed": seed,
            "width": size[0],
            "height": size[1],
            "num_frames": 1,
            "fps": 16,
            "seconds": round(seconds, 3),
            "steps": steps,
        }
        request.info["results"] = [result]
        request.tell("result", **result)

    def drop(self, request: Request) -> None:
        """Delete what a request that was not done has left."""
        shutil.rmtree(self._folder / "outputs" / request.id, ignore_errors=True)


_PREVIEW = {
    "format": "linear",
    "channels": 3,
    "dims": 4,
    "spatial": SIDE,
    "temporal": 1,
    "reshape": None,
    "factors": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "bias": [0, 0, 0],
}


def _sample(request: Request, folder: Path) -> dict[str, Any]:
    """Return the sample's settings with their defaults, as the real one takes them."""
    given = {key: value for key, value in request.sample.items() if value is not None}
    for key in given:
        if key not in _KNOWN:
            message = f"GenerateImageConfig.__init__() got an unexpected keyword argument '{key}'"
            raise TypeError(message)
    sample = {"prompt": "", **SAMPLE, **given}
    for side in ("width", "height"):
        sample[side] = max(64, int(sample[side]) // 8 * 8)
    sample["num_inference_steps"] = int(sample["num_inference_steps"])
    seed = int(sample.get("seed", -1))
    sample["seed"] = secrets.randbelow(2**31) if seed < 0 else seed
    control = sample.get("ctrl_img")
    arch = str(request.info["arch"]).partition(":")[0]
    if control is None and arch in NEED_A_CONTROL_IMAGE:
        raise ValueError(f"{arch} requires a control image (ctrl_img)")
    if control is not None:
        assets = folder / "assets"
        names = (path.name for path in assets.glob("*")) if assets.is_dir() else ()
        if not Path(str(control)).is_file() and str(control) not in names:
            raise FileNotFoundError(f"control image not found: {control}")
    return sample
