"""Every factor of every kind of adapter is checked, and a bad layer is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from aitk_nb.lora import api

if TYPE_CHECKING:
    from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]
LAYERS = ("lora_unet_blocks_0_conv1", "lora_unet_blocks_1_conv1", "lora_unet_blocks_2_conv2")


def layer(kind: str, rank: int, out: int, into: int, kernel: int) -> Shapes:
    """Return the shapes of one layer's tensors, as trainers write them."""
    window = (kernel, kernel)
    lora = {"lora_down.weight": (rank, into), "lora_up.weight": (out, rank)}
    conv = {
        "lora_down.weight": (rank, into, *window),
        "lora_up.weight": (out, rank, 1, 1),
    }
    matrix = {f"{n}_a": (out, rank) for n in "12"} | {f"{n}_b": (rank, into) for n in "12"}
    return {
        "PEFT": {"lora_A.weight": (rank, into), "lora_B.weight": (out, rank)},
        "embedding": {"lora_embedding_A": (rank, into), "lora_embedding_B": (out, rank)},
        "conv": conv,
        "Tucker": {
            "lora_down.weight": (rank, into, 1, 1),
            "lora_mid.weight": (rank, rank, *window),
            "lora_up.weight": (out, rank, 1, 1),
        },
        "DoRA out": {**lora, "dora_scale": (out, 1)},
        "DoRA in": {**conv, "dora_scale": (1, into, 1, 1)},
        "DoRA PEFT": {
            "lora_A.weight": (rank, into),
            "lora_B.weight": (out, rank),
            "lora_magnitude_vector": (out,),
        },
        "LoKr whole": {"lokr_w1": (2, 2), "lokr_w2": (out, into, *window)},
        "LoKr": {"lokr_w1": (2, 2), "lokr_w2_a": (out, rank), "lokr_w2_b": (rank, into)},
        "LoKr both": {f"lokr_w{name}": shape for name, shape in matrix.items()},
        "LoKr DoRA": {
            "lokr_w1": (2, 3),
            "lokr_w2_a": (out, rank),
            "lokr_w2_b": (rank, into),
            "dora_scale": (2 * out, 1),
        },
        "LoKr Tucker": {
            "lokr_w1": (2, 2),
            "lokr_t2": (rank, rank, *window),
            "lokr_w2_a": (rank, out),
            "lokr_w2_b": (rank, into),
        },
        "LoHa": {f"hada_w{name}": shape for name, shape in matrix.items()},
        "LoHa Tucker": {f"hada_t{n}": (rank, rank, *window) for n in (1, 2)}
        | {f"hada_w{n}_a": (rank, out) for n in (1, 2)}
        | {f"hada_w{n}_b": (rank, into) for n in (1, 2)},
    }[kind]


KINDS = (
    "PEFT",
    "embedding",
    "conv",
    "Tucker",
    "DoRA out",
    "DoRA in",
    "DoRA PEFT",
    "LoKr whole",
    "LoKr",
    "LoKr both",
    "LoKr DoRA",
    "LoKr Tucker",
    "LoHa",
    "LoHa Tucker",
)
# The dimensions of a part that are as long as the rank, where they must be as long as another's.
RANKED = {"down": 0, "A": 0, "up": 1, "B": 1, "mid": 0, "t1": 0, "t2": 1, "a": 1, "b": 0}


def report_on(
    tensors: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None
) -> api.LoraReport:
    """Inspect a LoRA of these tensors."""
    raw = save(dict(tensors), metadata)
    return api.inspect_lora(lambda start, length: raw[start : start + length], size=len(raw))


def built(shapes: Shapes, layers: tuple[str, ...] = LAYERS) -> dict[str, np.ndarray]:
    """Return a LoRA whose layers have these tensors."""
    return {
        f"{name}.{part}": np.ones(shape, np.float32)
        for name in layers
        for part, shape in shapes.items()
    }


sizes = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "rank": st.integers(1, 4),
        "out": st.integers(5, 8),
        "into": st.integers(5, 8),
        "kernel": st.sampled_from([1, 3]),
    }
)


@given(sizes, st.data())
def test_a_missing_or_changed_factor_is_not_sound(
    chosen: dict[str, str | int], data: st.DataObject
) -> None:
    """As it is written it is sound; without one factor, or with another rank in it, it is not."""
    shapes = layer(**chosen)  # type: ignore[arg-type]
    tensors = built(shapes)
    assert report_on(tensors).problems == ()
    broken, part = data.draw(st.sampled_from(LAYERS)), data.draw(st.sampled_from(sorted(shapes)))
    key = f"{broken}.{part}"
    tucker = "Tucker" in str(chosen["kind"]) and part.endswith(("_a", "_b"))
    mark = part.removesuffix(".weight").rpartition("_")[2]
    if mark in RANKED and data.draw(st.booleans()):
        shape = list(shapes[part])
        shape[0 if tucker else RANKED[mark]] += 1
        tensors[key] = np.ones(shape, np.float32)
    else:
        del tensors[key]
    (problem,) = report_on(tensors).problems
    assert problem.startswith("1 layer w")
    assert problem.endswith(f": {broken!r}.")


@pytest.mark.parametrize(
    ("kind", "gone", "why"),
    [
        ("PEFT", ["lora_A.weight"], "without down (A)"),
        ("conv", ["lora_up.weight"], "without up (B)"),
        ("Tucker", ["lora_mid.weight"], "without lora_mid"),
        ("DoRA out", ["dora_scale"], "without magnitude (DoRA)"),
        ("LoKr whole", ["lokr_w2"], "without lokr_w2"),
        ("LoKr", ["lokr_w2_a"], "without lokr_w2_a"),
        ("LoKr", ["lokr_w2_a", "lokr_w2_b"], "without lokr_w2"),
        ("LoKr both", ["lokr_w1_a", "lokr_w2_b"], "without lokr_w1_a and lokr_w2_b"),
        ("LoHa", ["hada_w1_a"], "without hada_w1_a"),
        ("LoHa Tucker", ["hada_t1"], "without hada_t1"),
    ],
)
def test_each_layer_that_lacks_a_factor_is_named(kind: str, gone: list[str], why: str) -> None:
    """One sentence for a fault, with all its layers."""
    tensors = built(layer(kind, 4, 6, 8, 3))
    for name in LAYERS[:2]:
        for part in gone:
            del tensors[f"{name}.{part}"]
    assert report_on(tensors).problems == (f"2 layers {why}: {LAYERS[0]!r}, {LAYERS[1]!r}.",)


def test_factors_that_fit_in_pairs_but_not_together() -> None:
    """Both products of a LoHa have one shape, and a magnitude that of the layer."""
    loha = layer("LoHa", 4, 6, 8, 1) | {"hada_w2_a": (7, 4)}
    dora = layer("DoRA PEFT", 4, 6, 8, 1) | {"lora_magnitude_vector": (5,)}
    for shapes in (loha, dora):
        (problem,) = report_on(built(shapes)).problems
        assert problem.startswith("3 layers whose factors' shapes don't match: ")


def test_a_layer_that_has_only_an_alpha_or_a_magnitude() -> None:
    """What is left of a layer is not one."""
    tensors = built(layer("conv", 4, 6, 8, 3), LAYERS[:1])
    tensors["te_q.alpha"] = np.array(4.0, np.float32)
    assert report_on(tensors).problems == ("1 layer without any factor: 'te_q'.",)


def test_ranks_of_layers_may_differ() -> None:
    """A LoKr of ranks 1, 32 and 64, with the alpha of LyCORIS, is sound."""
    tensors = {}
    for name, rank in zip(LAYERS, (1, 32, 64), strict=True):
        tensors |= built(layer("LoKr", rank, 128, 128, 1), (name,))
        tensors[f"{name}.alpha"] = np.array(181.0, np.float32)
    report = report_on(tensors, {"ss_network_dim": "32", "ss_network_alpha": "32"})
    assert (report.ok, report.kind, report.ranks) == (True, "LoKr", (1, 32, 64))
    assert (report.alpha, report.scale) == (181.0, None)


def test_a_whole_lokr_has_no_rank() -> None:
    """Its alpha is as large as LyCORIS writes it."""
    tensors = built(layer("LoKr whole", 4, 16, 16, 1))
    tensors |= {f"{name}.alpha": np.array(9999999999.0, np.float32) for name in LAYERS}
    report = report_on(tensors)
    assert (report.ok, report.ranks, report.scale) == (True, (), None)
    assert ("rank", "none: its matrices are whole") in report.rows


@pytest.mark.parametrize(
    ("kind", "zero"),
    [
        ("PEFT", "lora_B.weight"),
        ("Tucker", "lora_up.weight"),
        ("LoKr whole", "lokr_w2"),
        ("LoKr", "lokr_w2_b"),
        ("LoHa", "hada_w2_a"),
        ("LoHa Tucker", "hada_w2_a"),
        ("DoRA out", "lora_up.weight"),
    ],
)
def test_an_untrained_one_is_told_by_its_zeros(tmp_path: Path, kind: str, zero: str) -> None:
    """In every layer one factor is zero; a single layer that did not learn is no problem."""
    tensors = built(layer(kind, 4, 6, 8, 3))
    path = tmp_path / "zero.safetensors"
    tensors[f"{LAYERS[0]}.{zero}"] *= 0
    path.write_bytes(save(tensors))
    assert api.inspect_lora(path).problems == ()
    for name in LAYERS[1:]:
        tensors[f"{name}.{zero}"] *= 0
    path.write_bytes(save(tensors))
    (problem,) = api.inspect_lora(path).problems
    assert problem.startswith("It is untrained and has no effect")


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_are_not_finite_are_named(tmp_path: Path, kind: str) -> None:
    """In any factor, each tensor by its name."""
    tensors = built(layer(kind, 4, 6, 8, 3))
    bad = sorted(tensors)[:2]
    for key in bad:
        tensors[key].flat[-1] = np.nan
    path = tmp_path / "nan.safetensors"
    path.write_bytes(save(tensors))
    (problem,) = api.inspect_lora(path).problems
    assert problem.startswith("2 tensors with NaN")
    assert sorted(problem.rpartition(": ")[2].rstrip(".").split(", ")) == [repr(k) for k in bad]


@pytest.mark.parametrize(
    ("tensors", "kind"),
    [
        ({"unet.to_k.ia3_l": (8, 1)}, "IA3"),
        ({"lycoris_to_k.weight": (8,), "lycoris_to_k.on_input": ()}, "IA3"),
        ({f"lycoris_q.{factor}.weight": (4, 4) for factor in ("a1", "a2", "b1", "b2")}, "GLoRA"),
        ({"lora_unet_q.oft_blocks": (2, 4, 4), "lora_unet_q.alpha": ()}, "OFT"),
        ({"base_model.model.q.oft_R.weight": (2, 6)}, "OFT"),
        ({"lycoris_q.oft_blocks": (2, 2, 4, 4), "lycoris_q.rescale": (8, 1)}, "BOFT"),
        ({"base_model.model.q.boft_R": (1, 2, 4, 4), "base_model.model.q.boft_s": (8, 1)}, "BOFT"),
        ({"base_model.model.q.vera_lambda_b": (8,)}, "VeRA"),
        ({"diffusion_model.q.diff": (8, 8), "diffusion_model.q.diff_b": (8,)}, "full difference"),
    ],
)
def test_other_adapters_are_told_by_their_names(tensors: Shapes, kind: str) -> None:
    """They are not checked, so not called sound, and not said to be nothing."""
    report = report_on({key: np.ones(shape, np.float32) for key, shape in tensors.items()})
    assert report.kind == kind
    assert report.problems == (
        f"This is an adapter of the kind {kind}, whose factors are not checked.",
    )


def test_a_lora_with_differences_of_biases_is_one() -> None:
    """As Wan's distilled ones have them; other tensors do not make it unsound."""
    tensors = built(layer("PEFT", 4, 6, 8, 1), ("diffusion_model.blocks.0.q",))
    tensors["diffusion_model.blocks.0.q.diff_b"] = np.ones(6, np.float32)
    tensors["diffusion_model.norm.diff"] = np.ones(6, np.float32)
    tensors["diffusion_model.blocks.0.q.lora_B.bias"] = np.ones(6, np.float32)
    report = report_on(tensors)
    assert (report.ok, report.kind) == (True, "LoRA + full difference")


@pytest.mark.parametrize(
    "names",
    [
        ("model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.decoder.conv_in.bias"),
        ("double_blocks.0.img_attn.qkv.weight",),
        ("text_model.encoder.layers.0.self_attn.q_proj.weight", "snake.alpha"),
    ],
)
def test_a_checkpoint_is_called_one(names: tuple[str, ...]) -> None:
    """A full model is not a LoRA without factors."""
    (problem,) = report_on(dict.fromkeys(names, np.ones((4, 4), np.float32))).problems
    assert problem.startswith("This is a checkpoint, a full model or part of one, not a LoRA")


def test_what_is_neither_is_told_by_its_first_tensor() -> None:
    """An embedding of textual inversion, for example."""
    (problem,) = report_on({"emb_params": np.ones((4, 8), np.float32)}).problems
    assert (
        problem == "This is not a LoRA: no tensor has an adapter's name; the first is 'emb_params'."
    )


@pytest.mark.parametrize(
    "name",
    [
        "unet.to_q_lora.down.weight",
        "unet.processor.to_q_lora.up.weight",
        "unet.to_q.lora_linear_layer.down.weight",
        "base_model.model.q.lora_A.default.weight",
        "double_blocks.0.processor.qkv_lora1.down.weight",
    ],
)
def test_names_of_other_trainers(name: str) -> None:
    """Diffusers', PEFT's and XLabs' names are those of factors."""
    report = report_on({name: np.ones((4, 4), np.float32)})
    assert report.kind == "LoRA"
    assert "1 layer without" in report.problems[0]
