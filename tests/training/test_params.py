"""`TrainingParams`: bounds, clear refusals, and what papermill and a command line hand over."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.training import presets
from aitk_nb.training.extra import parse_extra
from aitk_nb.training.fields import schema
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
"""Two to the sixtieth values, in two kilobytes."""


def params(**fields: Any) -> TrainingParams:
    """Return parameters with these fields."""
    return TrainingParams(**{"name": "cat", "dataset": "cats", **fields})


def refusal(**fields: Any) -> InvalidParams:
    """Return the error that these fields give."""
    with pytest.raises(InvalidParams) as caught:
        params(**fields)
    return caught.value


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "a name is needed"),
        ("name", "../cat", "'../cat': it must not start with a dot"),
        ("name", "a/b", "'a/b': it must not contain '/'"),
        ("name", "${HOME}", "'${' would be replaced"),
        ("name", None, "None should be a valid string"),
        ("dataset", "", "a name is needed"),
        ("dataset", "a\\b", "must not contain"),
        ("extra_datasets", ["dogs", "../x"], "'../x': "),
        ("arch", "flx1", "unknown architecture 'flx1'; did you mean 'flex1'?"),
        ("arch", "wan_22", "did you mean 'wan22"),
        ("arch", "some new thing", "'some new thing' requires base_model"),
        ("base_model", "${MODEL}", "'${' would be replaced"),
        ("steps", 0, "0 should be greater than or equal to 1"),
        ("steps", 10_000_001, "10000001 should be less than or equal to 10000000"),
        ("steps", "many", "'many' should be a valid integer"),
        ("steps", 1.5, "1.5 should be a valid integer"),
        ("steps", None, "None should be a valid integer"),
        ("learning_rate", 0, "0 should be greater than 0"),
        ("learning_rate", 10, "10 should be less than 10"),
        ("learning_rate", float("nan"), "nan should be less than 10"),
        ("learning_rate", float("inf"), "inf should be less than 10"),
        ("batch_size", 0, "0 should be greater than or equal to 1"),
        ("batch_size", 1025, "1025 should be less than or equal to 1024"),
        ("rank", 0, "0 should be greater than or equal to 1"),
        ("rank", 4097, "4097 should be less than or equal to 4096"),
        ("alpha", -1, "-1 should be greater than or equal to 0"),
        ("alpha", 4097, "4097 should be less than or equal to 4096"),
        ("resolution", [], "at least 1 item"),
        ("resolution", "", "at least 1 item"),
        ("resolution", [512, 8], "8 should be greater than or equal to 16"),
        ("resolution", 9000, "9000 should be less than or equal to 8192"),
        ("resolution", "512, big", "'big' should be a valid integer"),
        ("trigger_word", "${USER}", "'${' would be replaced"),
        ("quantize", "uint9", "did you mean 'uint7'?"),
        ("quantize_te", "yes", "'yes' should be '', 'qfloat8'"),
        ("network", "loha", "'loha' should be 'lora' or 'lokr'; did you mean 'lora'?"),
        ("optimizer", "adamw8bits", "did you mean 'adamw8bit'?"),
        ("timestep_type", "sigmoidal", "did you mean 'sigmoid'?"),
        ("dtype", "float", "'float' should be 'bf16', 'fp16' or 'fp32'"),
        ("low_vram", "perhaps", "'perhaps' should be a valid boolean"),
        ("lokr_factor", 0, "0 should be -1 or a whole number from 1"),
        ("gradient_accumulation", 0, "0 should be greater than or equal to 1"),
        ("num_frames", 0, "0 should be greater than or equal to 1"),
        ("caption_dropout", 1.1, "1.1 should be less than or equal to 1"),
        ("ema", 1, "1 should be less than 1"),
        ("max_saves", 0, "0 should be greater than or equal to 1"),
        ("sample_width", 8, "8 should be greater than or equal to 16"),
        ("sample_height", 9000, "9000 should be less than or equal to 8192"),
        ("sample_frames", 0, "0 should be greater than or equal to 1"),
        ("sample_steps", 0, "0 should be greater than or equal to 1"),
        ("guidance", -1, "-1 should be greater than or equal to 0"),
        ("sample_seed", -2, "-2 should be greater than or equal to -1"),
        ("save_every", 0, "0 should be greater than or equal to 1"),
        ("sample_every", 0, "0 should be greater than or equal to 1"),
        ("prompts", ["fine", "a ${PATH}"], "'${' would be replaced"),
        ("seed", -2, "-2 should be greater than or equal to -1"),
        ("seed", 2**32, "4294967296 should be less than or equal to 4294967295"),
        ("gpu_ids", "all", "'all' should be one number, several with commas, 'mps', or empty"),
        ("gpu_ids", "0, 1", "'0, 1' should be"),
        ("steps", [], "[] should be a valid integer"),
        ("prompts", {"a": 1}, "{'a': 1} should be a valid tuple"),
        ("prompts", [None], "None should be a valid string"),
        ("steps", "9" * 5000, "exceeded maximum size"),
        ("rank", {"deep": [[[[[[[1]]]]]]]}, "should be a valid integer"),
        ("extra", "train: [", "invalid YAML"),
        ("extra", "- a\n- b", "expected a YAML mapping"),
        ("extra", "just words", "expected a YAML mapping"),
        ("extra", "device: cpu", "'device' is set by the server"),
        ("extra", "training_folder: /tmp", "'training_folder' is set by the server"),
        ("extra", "a: ${HOME}", "'${' would be replaced"),
        ("extra", "config: {name: x}", "'config: {process: [{…}]}'"),
        ("extra", "a: .nan", "what JSON cannot hold"),
        ("extra", "a: -.inf", "what JSON cannot hold"),
        ("extra", "a: &x [*x]", "what JSON cannot hold"),
        ("extra", "a: !!binary aGVsbG8=", "what JSON cannot hold"),
        ("extra", "a: !!set {x}", "what JSON cannot hold"),
        ("extra", "[" * 5000, "nested too deeply"),
        ("extra", 'a: !!int ""', "does not fit its tag"),
        ("extra", "a: !!timestamp x", "does not fit its tag"),
        ("extra", "a: !!bool x", "does not fit its tag"),
        ("extra", BOMB, "too large once its aliases are expanded"),
        ("extra", "#" * 1_000_001, "too large"),
        ("extra", "a: !!python/object/apply:os.system [id]", "invalid YAML"),
        ("extra", "train: 5", "'train' must be a mapping"),
        ("extra", "datasets: cats", "'datasets' must be a list of mappings"),
        ("extra", "datasets: []", "'datasets' must be a list of mappings"),
        ("extra", "datasets: [{folder_path: /data/x}]", "'/data/x': it must not contain '/'"),
        ("extra", "datasets: [{folder_path: 5}]", "name of a dataset, not 5"),
    ],
)
def test_a_bad_value_is_one_clear_sentence(field: str, value: object, says: str) -> None:
    """It names the field and the value, says what is allowed, and names no library."""
    error = refusal(**{field: value})

    assert [field] == list(error.problems)
    assert says in error.problems[field]
    assert f"{field}: {error.problems[field]}" in str(error)
    assert "\n" not in str(error)
    for foreign in ("pydantic", "ValidationError", "nput should", "Value error"):
        assert foreign not in str(error)
    assert error.__cause__ is None


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One entry for each field, the missing and the unknown too."""
    with pytest.raises(InvalidParams) as caught:
        TrainingParams.model_validate(
            {"name": "..", "steps": 0, "arch": "flx1", "rank": 0, "stesp": 5, "color": "red"}
        )

    problems = caught.value.problems
    assert {"name", "dataset", "steps", "arch", "rank", "stesp", "color"} == problems.keys()
    assert "required" == problems["dataset"]
    assert "unknown field; did you mean 'steps'?" == problems["stesp"]
    assert "unknown field" == problems["color"]


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("stpes", "steps"),
        ("learning_rte", "learning_rate"),
        ("prompt", "prompts"),
        ("Seed", "seed"),
    ],
)
def test_the_nearest_field_is_suggested(typo: str, meant: str) -> None:
    """A typo is not ignored."""
    assert f"did you mean '{meant}'?" in refusal(**{typo: 1}).problems[typo]


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("steps", "250", 250),
        ("learning_rate", "1e-4", 1e-4),
        ("resolution", 512, (512,)),
        ("resolution", "512", (512,)),
        ("resolution", "512, 768", (512, 768)),
        ("resolution", [512, "768"], (512, 768)),
        ("prompts", "a cat", ("a cat",)),
        ("prompts", "1, 2", ("1, 2",)),
        ("prompts", ["a", "b, c"], ("a", "b, c")),
        ("extra_datasets", "dogs", ("dogs",)),
        ("extra_datasets", "2024 01", ("2024 01",)),
        ("name", 2024, "2024"),
        ("gpu_ids", 0, "0"),
        ("gpu_ids", "0,1", "0,1"),
        ("gpu_ids", "mps", "mps"),
        ("trigger_word", 42, "42"),
    ],
)
def test_values_as_papermill_and_shells_hand_them_over(
    field: str, given: object, value: object
) -> None:
    """Numbers as text, text as numbers, one where a list is meant."""
    assert value == getattr(params(**{field: given}), field)


def test_it_is_a_frozen_value() -> None:
    """Equal, hashable, picklable, and not to be changed."""
    one, other = params(prompts=["a", "b"]), params(prompts=("a", "b"))
    assert one == other
    assert hash(one) == hash(other)
    assert one == pickle.loads(pickle.dumps(one))
    assert one == TrainingParams.model_validate_json(one.model_dump_json())
    with pytest.raises(Exception, match="frozen"):
        one.steps = 5  # type: ignore[misc]


def test_alpha_follows_the_rank() -> None:
    """Unless it is given."""
    assert 16 == params(rank=16).scale
    assert 4 == params(rank=16, alpha=4).scale


def test_every_architecture_of_the_web_ui_can_be_chosen() -> None:
    """All of them, and another one with its base model."""
    for arch in presets.load():
        assert arch == params(arch=arch).arch
    assert "brand_new" == params(arch="brand_new", base_model="org/model").arch


def test_every_field_is_described() -> None:
    """Forms and help texts show it."""
    assert all(entry["description"] for entry in schema().values())


def test_an_architecture_brings_its_own_values() -> None:
    """What its preset sets holds unless the field is given, at whatever value."""
    own = presets.load()["flux_kontext"]
    assert "weighted" == own.defaults["train.timestep_type"] == params(arch=own.arch).timestep_type
    assert "sigmoid" == params(arch=own.arch, timestep_type="sigmoid").timestep_type
    for preset in presets.load().values():
        rank = preset.defaults.get("network.linear", 32)
        rate = preset.defaults.get("train.lr", 1e-4)
        found = params(arch=preset.arch)
        assert (rank, rank, rate) == (found.rank, found.scale, found.learning_rate)
        assert (32, 1e-4) == (
            (given := params(arch=preset.arch, rank=32, learning_rate=1e-4)).rank,
            given.learning_rate,
        )
        assert found == TrainingParams(**found.model_dump())


@pytest.mark.parametrize(
    ("value", "meant"), [(True, "qfloat8"), (False, ""), ("", ""), ("uint4", "uint4")]
)
def test_quantization_takes_yes_and_no(value: object, meant: str) -> None:
    """Yes is AI Toolkit's own kind."""
    process = draft(params(quantize=value)).config["config"]["process"][0]
    assert meant == params(quantize=value).quantize
    assert (bool(meant), meant or "qfloat8") == (
        process["model"]["quantize"],
        process["model"]["qtype"],
    )


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"alpha": 64}, "alpha", "no effect on flex1: alpha is always the rank there"),
        ({"alpha": 64, "arch": "sdxl"}, "alpha", "scaled by alpha / rank = 2"),
        ({"arch": "sd15"}, "rank", "convolution layers are trained at rank 16"),
        ({"network": "lokr", "alpha": 4}, "alpha", "full-rank LoKr ignores"),
        ({"network": "lokr", "rank": 4}, "rank", "full-rank LoKr ignores"),
        ({"lokr_factor": 4}, "lokr_factor", "only LoKr networks"),
        ({"steps": 100, "prompts": "x"}, "sample_every", "before and after"),
        ({"steps": 100}, "save_every", "no checkpoint before the end"),
        ({"steps": 3000}, "max_saves", "only the last 4 of 11 checkpoints"),
        ({"extra_datasets": "cats"}, "extra_datasets", "used twice"),
        ({"arch": "flux"}, "arch", "huggingface.co"),
        ({"arch": "flux_kontext"}, "arch", "control images (set control_datasets)"),
        ({"num_frames": 9}, "num_frames", "single images"),
        ({"arch": "wan21:1b", "num_frames": 1}, "num_frames", ""),
    ],
)
def test_what_fits_badly_is_remarked_on(fields: dict[str, Any], field: str, says: str) -> None:
    """It is allowed all the same."""
    if says:
        assert says in params(**fields).advice[field]


def test_what_fits_is_passed_in_silence() -> None:
    """No remark without a reason."""
    fits = {"steps": 1000, "prompts": "a cat", "save_every": 250}
    assert {} == params(**fits).advice
    assert {} == params(**fits, network="lokr", lokr_factor=8).advice
    low = "network: {lokr_full_rank: false}"
    assert {} == params(**fits, network="lokr", rank=4, extra=low).advice


# -- presets of one's own -------------------------------------------------------------------------


def own_presets(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AITK_PRESETS name a file with this text."""
    path = folder / "presets.yaml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("AITK_PRESETS", str(path))


def test_presets_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new architecture is known, and a known one is changed only where the file says so."""
    text = (
        "flux: {defaults: {train.lr: 5e-5}}\n"
        "mine: {defaults: {model.name_or_path: me/mine, network.linear: 8}}\n"
    )
    text += "odd: {defaults: {model.name_or_path: me/odd, train.lr.x: 1}}\n"
    own_presets(tmp_path, text, monkeypatch)

    assert ["learning_rate"] == list(refusal(arch="odd").problems)
    assert draft(params(arch="odd", learning_rate=1e-4)).config
    assert 5e-5 == params(arch="flux").learning_rate
    assert "FLUX.1" == presets.load()["flux"].label
    assert 8 == params(arch="mine").rank
    model = draft(params(arch="mine")).config["config"]["process"][0]["model"]
    assert ("mine", "me/mine") == (model["arch"], model["name_or_path"])
    monkeypatch.delenv("AITK_PRESETS")
    assert 1e-4 == params(arch="flux").learning_rate


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a]", "expected a mapping by architecture"),
        ("a: [", "invalid YAML"),
        ("flux: 5", "flux: 5 should be a valid dictionary"),
        ("flux: {lr: 1}", "flux: lr: unknown field"),
        ("flux: {defaults: 5}", "defaults: 5 should be a valid"),
        ("flux: {defaults: {lr: 1}}", "'lr' is not a path"),
        ("flux: {defaults: {train.: 1}}", "'train.' is not a path"),
    ],
)
def test_a_bad_preset_file_is_told(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with the file's name."""
    own_presets(tmp_path, text, monkeypatch)
    with pytest.raises(BadInput, match=re.escape(says)):
        presets.load()


def test_a_missing_preset_file_is_told(tmp_path: Path) -> None:
    """Rather than passed over."""
    with pytest.raises(BadInput, match="Can't read"):
        presets.load({"AITK_PRESETS": str(tmp_path / "none.yaml")})


# -- extra ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-4", 1e-4),
        ("1E-4", 1e-4),
        ("2.5e-05", 2.5e-5),
        ("1e5", 1e5),
        ("-3e+2", -300.0),
        ("5", 5),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: float) -> None:
    """YAML 1.1 takes `1e-4` for text."""
    assert {"train": {"lr": number}} == parse_extra(f"train: {{lr: {text}}}")


@pytest.mark.parametrize("text", ["e5", "1e", "1e-4x", "2024-01-31", "1.2.3", "v1e5"])
def test_what_only_looks_like_a_number_stays_text(text: str) -> None:
    """Dates too: JSON has none."""
    assert {"a": text} == parse_extra(f"a: {text}")


def test_merge_keys_mean_the_same_under_every_pyyaml() -> None:
    """Of several mappings the first wins, and keys that are merged again and again do not grow."""
    bomb = "a0: &a0 {x: 1, y: 2}\n" + "".join(
        f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)
    )
    assert {"x": 1, "y": 2} == parse_extra(bomb)["a59"]
    text = "one: &one {long: 1, a: 1}\ntwo: &two {long: 2, b: 2}\n"
    text += "three: {<<: [*one, *two], a: 3}\nself: &self {<<: *self, c: 4}\n"
    found = parse_extra(text)
    assert {"long": 1, "a": 3, "b": 2} == found["three"]
    assert {"c": 4} == found["self"]
    with pytest.raises(ValueError, match="requires mappings"):
        parse_extra("a: {<<: 5}")


@pytest.mark.parametrize("text", ["", "  ", "# only a comment", "~", "{}"])
def test_nothing_is_fine(text: str) -> None:
    """It changes nothing."""
    assert {} == parse_extra(text)
    assert draft(params()).config == draft(params(extra=text)).config


def test_a_whole_job_config_is_taken_apart() -> None:
    """As AI Toolkit's own files have it."""
    text = "job: extension\nconfig:\n  name: other\n  process:\n  - train: {optimizer: prodigy}\n"
    assert {"train": {"optimizer": "prodigy"}} == parse_extra(text)


def test_a_pasted_job_config_leaves_its_machine_behind() -> None:
    """Its folders, its database and its device are those of another machine."""
    text = (
        "job: extension\nconfig:\n  name: other\n  process:\n  - type: sd_trainer\n"
        "    training_folder: /out\n    sqlite_db_path: x.db\n    device: cuda:0\n"
        "    datasets: [{folder_path: /path/to/images, num_repeats: 3}]\n"
    )
    found = draft(params(extra=text)).config["config"]["process"][0]

    assert ("sd_trainer", "cuda") == (found["type"], found["device"])
    assert ("cats", 3) == (
        found["datasets"][0]["folder_path"],
        found["datasets"][0]["num_repeats"],
    )
    assert "training_folder" not in found
    assert draft(params(extra=text)).config["config"]["name"] == "cat"


def test_a_network_can_be_left_out() -> None:
    """Whole models are trained so."""
    process = draft(params(extra="network: null")).config["config"]["process"][0]
    assert process["network"] is None


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    """A text is a draft that JSON can hold, or one clear error."""
    try:
        value = params(extra=text)
    except InvalidParams as error:
        problems = list(error.problems)
    else:
        problems = ["extra"]
        assert draft(value).config
    assert ["extra"] == problems


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.binary(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(st.sampled_from([*TrainingParams.model_fields, "stpes"]), _anything, max_size=6)
)
def test_any_values_are_parameters_or_an_error(fields: dict[str, Any]) -> None:
    """Never another exception, and what is accepted has a job config."""
    try:
        value = params(**fields)
    except InvalidParams as error:
        told = [*error.problems]
    else:
        told = [draft(value).name]
    assert told
