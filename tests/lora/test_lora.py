"""`inspect_lora` tells what a LoRA holds, and is not fooled by damaged or hostile files."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from aitk_nb.errors import BadInput
from aitk_nb.lora import api

Arrays = Mapping[str, np.ndarray]
META = {
    "training_info": json.dumps({"step": 50, "epoch": 12}),
    "name": "cat",
    "ss_base_model_version": "flux.1",
    "format": "pt",
}


def peft(rank: int = 4, *, layers: int = 2, dtype: str = "float32") -> dict[str, np.ndarray]:
    """Return a LoRA as AI Toolkit names it."""
    tensors = {}
    for layer in range(layers):
        name = f"diffusion_model.blocks.{layer}.attn.to_q"
        tensors[f"{name}.lora_A.weight"] = np.ones((rank, 8), dtype)
        tensors[f"{name}.lora_B.weight"] = np.full((6, rank), 0.5, dtype)
    return tensors


def written(folder: Path, content: bytes | Arrays, metadata: dict[str, str] | None = None) -> Path:
    """Write a file by its bytes, or by its tensors, and return its path."""
    path = folder / "cat.safetensors"
    raw = content if isinstance(content, bytes) else save(dict(content), metadata)
    path.write_bytes(raw)
    return path


def raw_file(header: object, data: bytes = b"") -> bytes:
    """Return a file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[int], place: list[int]) -> dict[str, object]:
    """Return the description of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


def test_a_sound_lora(tmp_path: Path) -> None:
    """Everything that a file says is in its report."""
    report = api.inspect_lora(written(tmp_path, peft(), META))
    assert (report.kind, report.rank, report.alpha, report.modules) == ("LoRA", 4, None, 2)
    assert (report.tensors, report.parameters, report.dtypes) == (4, 2 * 4 * (8 + 6), ("F32",))
    assert (report.name, report.step, report.epoch) == ("cat", 50, 12)
    assert (report.base_model, report.metadata["format"]) == ("flux.1", "pt")
    assert (report.finite, report.zero_tensors, report.ok, report.problems) == (True, 0, True, ())
    assert repr(report).startswith("<LoraReport 'cat.safetensors' LoRA rank 4 alpha ? step 50")


def test_other_naming_schemes(tmp_path: Path) -> None:
    """Kohya's names with alphas, and the factors of LoKr and LoHa, are understood."""
    one, up = np.ones((16, 8), np.float16), np.ones((6, 16), np.float16)
    kohya = {
        "lora_unet_q.lora_down.weight": one,
        "lora_unet_q.lora_up.weight": up,
        "lora_unet_q.alpha": np.array(8, np.float16),
    }
    report = api.inspect_lora(written(tmp_path, kohya))
    assert (report.kind, report.rank, report.alpha, report.ok) == ("LoRA", 16, 8.0, True)
    lokr = {
        "m.lokr_w1": np.ones((2, 2), np.float32),
        "m.lokr_w2_a": np.ones((8, 3), np.float32),
        "m.lokr_w2_b": np.ones((3, 8), np.float32),
        "m.alpha": np.array(3, np.float32),
    }
    report = api.inspect_lora(written(tmp_path, lokr))
    assert (report.kind, report.rank, report.alpha, report.ok) == ("LoKr", 3, 3.0, True)
    full = {"m.lokr_w1": lokr["m.lokr_w1"], "m.lokr_w2": np.ones((4, 4), np.float32)}
    assert api.inspect_lora(written(tmp_path, full)).ranks == ()
    loha = {f"m.hada_w{i}_{f}": np.ones((5, 5), np.float32) for i in (1, 2) for f in "ab"}
    assert api.inspect_lora(written(tmp_path, loha)).rank == 5


def test_ranks_may_differ(tmp_path: Path) -> None:
    """All ranks are listed, and none is said to be *the* rank."""
    tensors = {**peft(8, layers=1), **{f"x.{k}": v for k, v in peft(4, layers=1).items()}}
    report = api.inspect_lora(written(tmp_path, tensors))
    assert (report.ranks, report.rank) == ((4, 8), None)


def test_bfloat16_is_decoded(tmp_path: Path) -> None:
    """Sound, odd, zero and alpha are told apart in bfloat16 too."""

    def file(up: int) -> bytes:
        header = {
            "q.lora_A.weight": entry("BF16", [1, 1], [0, 2]),
            "q.lora_B.weight": entry("BF16", [1, 1], [2, 4]),
            "q.alpha": entry("BF16", [], [4, 6]),
        }
        return raw_file(header, struct.pack("<HHH", 0x3F80, up, 0x4180))

    sound, nan, zero = (
        api.inspect_lora(written(tmp_path, file(bits))) for bits in (0x3F80, 0x7FC0, 0x8000)
    )
    assert (sound.ok, sound.alpha, sound.dtypes) == (True, 16.0, ("BF16",))
    assert (nan.ok, nan.finite) == (False, False)
    assert (zero.ok, zero.finite, zero.zero_tensors) == (False, True, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_odd_numbers_are_found(tmp_path: Path, dtype: str, odd: float) -> None:
    """One odd number among many is enough, and the report names its tensor."""
    tensors = peft(dtype=dtype)
    tensors["diffusion_model.blocks.1.attn.to_q.lora_B.weight"][5, 3] = odd
    report = api.inspect_lora(written(tmp_path, tensors))
    assert (report.finite, report.ok) == (False, False)
    assert "blocks.1.attn.to_q.lora_B" in report.problems[0]
    assert "lower learning rate" in report.problems[0]


def test_a_large_tensor_is_looked_at_in_pieces(tmp_path: Path) -> None:
    """A NaN at the end of more than one piece is found."""
    tensors = {"q.lora_A.weight": np.ones((3, 1_000_000), np.float32)}
    tensors["q.lora_B.weight"] = np.ones((1, 3), np.float32)
    tensors["q.lora_A.weight"][-1, -1] = np.nan
    assert api.inspect_lora(written(tmp_path, tensors)).finite is False


def test_what_is_no_lora_or_not_trained(tmp_path: Path) -> None:
    """Zero up-weights, unpaired and unfit factors and other models are said in words."""
    untrained = {k: v * ("lora_A" in k) for k, v in peft().items()}
    assert "no effect" in api.inspect_lora(written(tmp_path, untrained)).problems[0]
    half = {k: v for k, v in peft().items() if "0.attn.to_q.lora_B" not in k}
    assert api.inspect_lora(written(tmp_path, half)).problems == (
        "1 layer without up (B): 'diffusion_model.blocks.0.attn.to_q'.",
    )
    unfit = {"q.lora_A.weight": np.ones((4, 8)), "q.lora_B.weight": np.ones((6, 3))}
    assert "don't match" in api.inspect_lora(written(tmp_path, unfit)).problems[0]
    report = api.inspect_lora(written(tmp_path, {"layer.weight": np.ones((4, 8))}))
    assert (report.ok, report.kind, report.modules) == (False, "", 0)
    assert "not a LoRA" in report.problems[0]


def test_only_the_header_of_a_remote_file_is_read(tmp_path: Path) -> None:
    """With a function, the data are not fetched, but for one alpha."""
    layers = [f"diffusion_model.blocks.{layer}.attn.to_q" for layer in (0, 1)]
    tensors = peft() | {f"{layer}.alpha": np.array(2.0, np.float32) for layer in layers}
    raw = written(tmp_path, tensors, META).read_bytes()
    asked: list[int] = []

    def read(start: int, length: int) -> bytes:
        asked.append(length)
        return raw[start : start + length]

    report = api.inspect_lora(read, size=len(raw), name="cat.safetensors")
    assert (report.rank, report.alpha, report.finite, report.ok) == (4, 2.0, None, True)
    assert report.zero_tensors is None
    assert len(asked) == 3
    with pytest.raises(BadInput, match="requires its size"):
        api.inspect_lora(read)


def test_metadata_of_other_trainers_and_nonsense(tmp_path: Path) -> None:
    """Kohya's names serve where AI Toolkit's are missing; nonsense is left out."""
    kohya = {"ss_network_alpha": "8", "ss_steps": "70", "ss_output_name": "dog"}
    report = api.inspect_lora(written(tmp_path, peft(), kohya))
    assert (report.alpha, report.step, report.name) == (8.0, 70, "dog")
    for info in ("[" * 5000, "7", '{"step": "many", "epoch": 1e999}', "{"):
        report = api.inspect_lora(written(tmp_path, peft(), {"training_info": info}))
        assert (report.step, report.epoch, report.ok) == (None, None, True)


HEADERS = {
    "no JSON": b"{nonsense",
    "no UTF-8": b'{"\xff": 1}',
    "a list": [1, 2],
    "deep": b"[" * 200_000,
    "no entry": {"a": 5},
    "a list of its fields": {"a": ["F32", [1], [0, 4]]},
    "an object as dtype": {"a": {"dtype": {"F32": None}, "shape": [1], "data_offsets": [0, 4]}},
    "no dtype": {"a": {"shape": [1], "data_offsets": [0, 4]}},
    "unknown dtype": {"a": entry("F99", [1], [0, 4])},
    "negative": {"a": entry("F32", [-1], [0, 4])},
    "true": {"a": entry("F32", [True], [0, 4])},
    "huge": {"a": entry("F32", [1 << 62] * 9, [0, 4])},
    "not its size": {"a": entry("F32", [2], [0, 4])},
    "backwards": {"a": entry("F32", [1], [4, 0])},
    "overlap": {"a": entry("F32", [1], [0, 4]), "b": entry("F32", [1], [0, 4])},
    "hole": {"a": entry("U8", [1], [0, 1]), "b": entry("U8", [1], [2, 3])},
    "more data": {"a": entry("U8", [1], [0, 1])},
    "beyond the end": {"a": entry("F32", [100], [0, 400])},
    "metadata": {"__metadata__": {"a": 1}, "a": entry("F32", [1], [0, 4])},
    "intricate": b'{"a":[' + b"[]," * 2_100_000 + b"1]}",
    "long number": b'{"a":' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_hostile_header_is_one_sentence(tmp_path: Path, header: object) -> None:
    """Whatever a header claims, the answer is `BadInput` naming the file."""
    with pytest.raises(BadInput, match=r"cat\.safetensors .*\.$"):
        api.inspect_lora(written(tmp_path, raw_file(header, b"\0" * 4)))


@pytest.mark.parametrize("claim", [100_000_001, 1 << 40, (1 << 64) - 1])
def test_a_header_that_claims_too_much_is_not_read(tmp_path: Path, claim: int) -> None:
    """No memory is taken for what cannot be."""
    with pytest.raises(BadInput, match="header"):
        api.inspect_lora(written(tmp_path, struct.pack("<Q", claim) + b"{}"))


def test_every_cut_of_a_file_is_noticed(tmp_path: Path) -> None:
    """A file that stops anywhere is refused, and mostly it is said that it is cut short."""
    raw = written(tmp_path, peft(), META).read_bytes()
    for length in (*range(0, len(raw), 37), len(raw) - 1):
        with pytest.raises(BadInput, match=r"is incomplete|not a safetensors file"):
            api.inspect_lora(written(tmp_path, raw[:length]))


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible name are one sentence each."""
    for source in (tmp_path / "missing", tmp_path, "a\0b"):
        with pytest.raises(BadInput, match=r"Can't read|not a valid file name"):
            api.inspect_lora(source)


def from_bytes(raw: bytes) -> api.LoraReport | None:
    """Inspect bytes as if they were a local file; None when they are refused."""
    try:
        report = api.inspect_lora(lambda start, length: raw[start : start + length], size=len(raw))
    except BadInput:
        return None
    repr(report)
    assert "<script" not in report._repr_html_()
    return report


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_never_crash(raw: bytes, framed: bool) -> None:
    """Only `BadInput` comes out."""
    from_bytes(raw_file(raw) if framed else raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "q.lora_A.weight"]),
            inner | st.sampled_from(["F32", "BF16", [1], [0, 4], []]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_arbitrary_headers_never_crash(header: object) -> None:
    """Only `BadInput` comes out."""
    from_bytes(raw_file(header, b"\0\0\0\0"))


SOUND = save({**peft(), "<script>.alpha": np.array(2.0, np.float32)}, {"name": "<script>", **META})


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=4))
def test_mutated_files_never_crash(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    """A local file with changed bytes is reported on or refused."""
    raw = bytearray(SOUND)
    for position, value in changes:
        raw[position] = value
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(raw)
    try:
        report = api.inspect_lora(path)
    except BadInput:
        return
    repr(report)
    assert "<script" not in report._repr_html_()
