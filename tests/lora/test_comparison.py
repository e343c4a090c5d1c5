"""`compare_loras`, `layer_norms` and `plot_lora`: how LoRAs differ, and how strong each is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from aitk_nb import BadInput, compare_loras, inspect_lora
from aitk_nb.lora.norms import layer_norms
from aitk_nb.views import plot_lora

RNG = np.random.default_rng(1)


def lora(path: Path, rank: int = 4, alpha: float | None = None, **metadata: str) -> Path:
    """Write a LoRA with two layers."""
    tensors = {}
    for layer in range(2):
        name = f"diffusion_model.blocks.{layer}.to_q"
        tensors[f"{name}.lora_A.weight"] = RNG.normal(size=(rank, 8)).astype(np.float32)
        tensors[f"{name}.lora_B.weight"] = RNG.normal(size=(6, rank)).astype(np.float32)
        if alpha is not None:
            tensors[f"{name}.alpha"] = np.array(alpha, np.float32)
    save_file(tensors, path, metadata)
    return path


@given(rank=st.integers(1, 5), rows=st.integers(1, 7), columns=st.integers(1, 7))
def test_a_norm_is_that_of_the_product(
    tmp_path_factory: pytest.TempPathFactory, rank: int, rows: int, columns: int
) -> None:
    """Of a LoRA scaled by its alpha, also in bfloat16's place of F16, and of a LoKr."""
    path = tmp_path_factory.mktemp("norms") / "x.safetensors"
    up, down = RNG.normal(size=(rows, rank)), RNG.normal(size=(rank, columns))
    save_file(
        {
            "a.lora_B.weight": up,
            "a.lora_A.weight": down,
            "a.alpha": np.array(2.0),
            "b.lokr_w1": down,
            "b.lokr_w2_a": up,
            "b.lokr_w2_b": down,
        },
        path,
    )
    norms = layer_norms(path)
    whole = np.linalg.norm(np.kron(down, up @ down))
    np.testing.assert_allclose(norms["a"], np.linalg.norm(up @ down) * 2 / rank)
    np.testing.assert_allclose(norms["b"], whole)


def test_where_they_differ(tmp_path: Path) -> None:
    """The properties side by side; that of which only the header is known has no norm."""
    one = lora(tmp_path / "one.safetensors", 4, 4.0)
    other = lora(tmp_path / "other.safetensors", 2, 4.0)
    compared = compare_loras([one, other, inspect_lora(other)])

    assert {"rank", "alpha", "tensors", "values"} >= set(compared.differing) >= {"rank"}
    assert compared.norms[2] is None
    assert "one.safetensors" in repr(compared)
    assert "unknown" in repr(compared)
    assert ["rank"] == [name for name in compared.as_dict()["differing"] if name == "rank"]
    assert "other.safetensors" in compared._repr_html_()


def test_one_is_not_compared(tmp_path: Path) -> None:
    """Nor is what is not a LoRA."""
    one = lora(tmp_path / "one.safetensors")
    with pytest.raises(BadInput, match="at least two"):
        compare_loras([one])
    save_file({"model.weight": np.ones((2, 2))}, tmp_path / "model.safetensors")
    with pytest.raises(BadInput, match="no layer of a LoRA"):
        compare_loras([one, tmp_path / "model.safetensors"])


def test_the_config_comes_back(tmp_path: Path) -> None:
    """As far as it was recorded, as values."""
    info = json.dumps({"step": 5})
    report = inspect_lora(
        lora(tmp_path / "x.safetensors", ss_learning_rate="1e-4", training_info=info)
    )
    assert {"ss_learning_rate": 1e-4, "training_info": {"step": 5}} == report.config


@pytest.mark.parametrize("theme", ["page", "light", "dark"])
def test_the_layers_are_drawn(tmp_path: Path, theme: str) -> None:
    """In one small picture, whose words name the strongest."""
    figure = plot_lora(lora(tmp_path / "my cat.safetensors"), theme=theme)  # type: ignore[arg-type]
    assert "<layers of my cat.safetensors>" == repr(figure)
    assert figure.save(tmp_path / "layers.png").stat().st_size < 100_000
    assert "blocks.1.to_q" in figure.alt
