"""The models that AI Toolkit's trainer knows, as far as the small model behaves like them."""

from collections.abc import Mapping
from typing import Any

# LoRAs of these models have the format of PEFT, for which the trainer sets alpha to the rank. Those
# of all others, the unknown among them, are scaled by alpha over rank, and the file holds alpha.
_PEFT = frozenset(
    {
        *("ace_step_15", "ace_step_15_xl", "anima", "boogu_image", "boogu_image_edit", "chroma"),
        *("chroma_radiance", "cogview4", "ernie_image", "example", "f-lite", "flex1", "flex2"),
        *("flux", "flux2", "flux2_klein_4b", "flux2_klein_9b", "flux_kontext", "hidream"),
        *("hidream_e1", "hidream_o1", "ideogram4", "krea2", "ltx2", "ltx2.3", "ltx2.5", "lumina2"),
        *("mageflow", "mageflow_edit", "minimax_h3", "minimax_h3_ref2va", "nucleus_image"),
        *("omnigen2", "prx_pixel", "qwen_image", "qwen_image_edit", "qwen_image_edit_plus", "sd3"),
        *("wan21", "wan21_i2v", "wan22_14b", "wan22_14b_i2v", "wan22_5b", "zeta_chroma"),
        *("zimage", "zimage_l2p"),
    }
)
_OLD_ARCHES = {"is_v2": "sd2", "is_v3": "sd3", "is_xl": "sdxl"} | {
    f"is_{arch}": arch
    for arch in ("pixart", "pixart_sigma", "auraflow", "flux", "lumina2", "vega", "ssd")
}
_MULTIPLES_OF_32 = frozenset(
    {
        *(
            "anima",
            "chroma",
            "chroma_radiance",
            "ernie_image",
            "flex1",
            "flux",
            "hidream_o1",
            "ltx2",
            "ltx2.3",
        ),
        *("ltx2.5", "minimax_h3", "minimax_h3_ref2va", "nucleus_image", "qwen_image", "sd3"),
        *("qwen_image_edit", "qwen_image_edit_plus", "wan22_5b", "zeta_chroma"),
    }
)


def arch_of(model: Mapping[str, Any]) -> str:
    """Return the architecture; whatever the trainer does not know it takes as `sd1`."""
    if model.get("arch"):
        return str(model["arch"]).partition(":")[0]
    return next((arch for key, arch in _OLD_ARCHES.items() if model.get(key)), "sd1")


def divisibility(arch: str) -> int:
    """Return the pixels of which both sides of a bucket are multiples."""
    return 32 if arch in _MULTIPLES_OF_32 else 16


def is_scaled(arch: str) -> bool:
    """Return whether a LoRA is scaled by alpha over rank, and its file holds alpha."""
    return arch not in _PEFT
