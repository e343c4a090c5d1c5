"""Alpha is found wherever a trainer keeps it, and nothing is claimed where it is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from aitk_nb.lora import api

if TYPE_CHECKING:
    from pathlib import Path

Q = "transformer.blocks.0.attn.to_q"
TENSORS = {
    f"{Q}.lora_A.weight": np.ones((16, 32), np.float32),
    f"{Q}.lora_B.weight": np.ones((32, 16), np.float32),
}
PEFT = {"transformer.r": 16, "transformer.lora_alpha": 64, "transformer.target_modules": ["to_q"]}


def report_on(
    folder: Path, metadata: dict[str, str], config: object = None, **more: float
) -> api.LoraReport:
    """Inspect a LoRA of rank 16 with this metadata, and PEFT's config beside it."""
    tensors = TENSORS | {f"{Q}.{name}": np.array(value, np.float32) for name, value in more.items()}
    path = folder / "adapter_model.safetensors"
    path.write_bytes(save(tensors, metadata or None))
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        path.with_name("adapter_config.json").write_text(text, encoding="utf-8")
    return api.inspect_lora(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": "pt", "lora_adapter_metadata": json.dumps(PEFT)},
        {"transformer.lora_alpha": "64", "transformer.r": "16"},
        {"lora_alpha": "64", "rank": "16"},
        {"ss_network_alpha": "64.0", "ss_network_dim": "16"},
        {"alpha": "64"},
        {"ot_config": json.dumps({"lora_rank": 16, "lora_alpha": 64.0})},
        {"lycoris_config": json.dumps({"algo": "lora", "linear_dim": 16, "linear_alpha": 64})},
        {"config": json.dumps({"transformer": {"lora_alpha": 64}, "lora_alpha": None})},
    ],
)
def test_alpha_of_the_metadata(tmp_path: Path, metadata: dict[str, str]) -> None:
    """Rank 16, alpha 64, so a scale of 4, whoever wrote it."""
    report = report_on(tmp_path, metadata)
    assert (report.rank, report.alpha, report.scale) == (16, 64.0, 4.0)
    assert ("alpha", "64 (scale 4)") in report.rows


def test_where_there_is_none_nothing_is_claimed(tmp_path: Path) -> None:
    """Other numbers are not taken for it."""
    metadata = {"format": "pt", "rank": "16", "ot_config": json.dumps({"alpha": 3, "beta": 64})}
    report = report_on(tmp_path, metadata)
    assert (report.alpha, report.alphas, report.scale, report.ok) == (None, (), None, True)
    assert ("alpha", "not in the file") in report.rows


def test_tensors_come_first(tmp_path: Path) -> None:
    """They are what programs read that load it."""
    report = report_on(tmp_path, {"ss_network_alpha": "64"}, alpha=8)
    assert (report.alpha, report.scale) == (8.0, 0.5)


def test_layers_with_an_alpha_of_their_own(tmp_path: Path) -> None:
    """PEFT's pattern names layers; all alphas are listed, and none is the alpha."""
    config = PEFT | {"transformer.alpha_pattern": {"blocks.0.attn.to_q": 8}}
    report = report_on(tmp_path, {"lora_adapter_metadata": json.dumps(config)})
    assert (report.alphas, report.alpha, report.scale) == ((8.0, 64.0), None, None)


def test_rank_stabilized_scale(tmp_path: Path) -> None:
    """It is alpha over the root of the rank: 64 / 4."""
    config = PEFT | {"transformer.use_rslora": True}
    report = report_on(tmp_path, {"lora_adapter_metadata": json.dumps(config)})
    assert (report.alpha, report.scale) == (64.0, 16.0)


@pytest.mark.parametrize(
    ("config", "alphas"),
    [
        ({"r": 16, "lora_alpha": 64}, (64.0,)),
        ({"r": 8, "lora_alpha": 64}, ()),  # of another adapter
        ({"r": 16}, ()),
        ({"r": [16], "lora_alpha": 64}, ()),
        ("{nonsense", ()),
        ("[" * 100_000, ()),
        ([16], ()),
    ],
)
def test_the_file_beside_it(tmp_path: Path, config: object, alphas: tuple[float, ...]) -> None:
    """PEFT and diffusion-pipe keep alpha in `adapter_config.json`; it must fit the rank."""
    assert report_on(tmp_path, {"format": "pt"}, config).alphas == alphas


@pytest.mark.parametrize(
    "text",
    ["", "None", "nan", "1e999", "[" * 100_000, '{"lora_alpha": {"a": [1]}}', "{", "9" * 5000],
)
def test_nonsense_is_left_out(tmp_path: Path, text: str) -> None:
    """In any of the places."""
    metadata = dict.fromkeys(["lora_alpha", "lora_adapter_metadata", "ss_network_alpha"], text)
    assert report_on(tmp_path, metadata).alphas == ()
