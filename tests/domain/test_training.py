"""`TrainingParams`: bounds, clear refusals, and what papermill and a command line hand over."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb import presets
from aitk_nb.errors import InvalidParams
from aitk_nb.job_config import draft, parse_extra
from aitk_nb.training import TrainingParams


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
        ("name", None, "None must be a valid string"),
        ("dataset", "", "a name is needed"),
        ("dataset", "a\\b", "must not contain"),
        ("extra_datasets", ["dogs", "../x"], "'../x': "),
        ("arch", "flx1", "'flx1' is not known; did you mean 'flex1'?"),
        ("arch", "wan_22", "did you mean 'wan22"),
        ("arch", "some new thing", "base_model must be given"),
        ("base_model", "${MODEL}", "'${' would be replaced"),
        ("steps", 0, "0 must be greater than or equal to 1"),
        ("steps", 10_000_001, "less than or equal to 10000000"),
        ("steps", "many", "'many' must be a valid integer"),
        ("steps", 1.5, "1.5 must be a valid integer"),
        ("steps", None, "None must be a valid integer"),
        ("learning_rate", 0, "0 must be greater than 0"),
        ("learning_rate", 10, "10 must be less than 10"),
        ("learning_rate", float("nan"), "nan must be"),
        ("learning_rate", float("inf"), "inf must be less than 10"),
        ("batch_size", 0, "greater than or equal to 1"),
        ("batch_size", 1025, "less than or equal to 1024"),
        ("rank", 0, "greater than or equal to 1"),
        ("rank", 4097, "less than or equal to 4096"),
        ("alpha", -1, "greater than or equal to 0"),
        ("alpha", 4097, "less than or equal to 4096"),
        ("resolution", [], "at least one is needed"),
        ("resolution", "", "at least one is needed"),
        ("resolution", [512, 8], "8 is not between 16 and 8192"),
        ("resolution", 9000, "9000 is not between"),
        ("resolution", "512, big", "'big' must be a valid integer"),
        ("trigger_word", "${USER}", "'${' would be replaced"),
        ("save_every", 0, "greater than or equal to 1"),
        ("sample_every", 0, "greater than or equal to 1"),
        ("prompts", ["fine", "a ${PATH}"], "'${' would be replaced"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 2**32, "less than or equal to 4294967295"),
        ("gpu_ids", "all", "'all' is not one number, several with commas, or 'mps'"),
        ("gpu_ids", "0, 1", "'0, 1' is not"),
        ("gpu_ids", "", "'' is not"),
        ("extra", "train: [", "it is no YAML"),
        ("extra", "- a\n- b", "it must be a YAML mapping"),
        ("extra", "just words", "it must be a YAML mapping"),
        ("extra", "device: cpu", "'device' is set by the server"),
        ("extra", "training_folder: /tmp", "'training_folder' is set by the server"),
        ("extra", "a: ${HOME}", "'${' would be replaced"),
        ("extra", "config: {name: x}", "'config: {process: [{…}]}'"),
        ("extra", "a: .nan", "JSON cannot"),
        ("extra", "a: -.inf", "JSON cannot"),
        ("extra", "a: &x [*x]", "JSON cannot"),
        ("extra", "a: !!binary aGVsbG8=", "JSON cannot"),
        ("extra", "a: !!set {x}", "JSON cannot"),
        ("extra", "[" * 5000, "nested too deeply"),
        ("extra", "a: !!python/object/apply:os.system [id]", "it is no YAML"),
        ("extra", "train: 5", "'train' must be a mapping"),
        ("extra", "datasets: cats", "'datasets' must be a list of mappings"),
        ("extra", "datasets: []", "'datasets' must be a list of mappings"),
        ("extra", "datasets: [{folder_path: /data/x}]", "name of a dataset, which '/data/x'"),
        ("extra", "datasets: [{folder_path: 5}]", "name of a dataset, which 5"),
    ],
)
def test_a_bad_value_is_one_clear_sentence(field: str, value: object, says: str) -> None:
    """It names the field and the value, says what is allowed, and nothing of the library."""
    error = refusal(**{field: value})

    assert [field] == list(error.problems)
    assert says in error.problems[field]
    assert f"{field}: {error.problems[field]}" in str(error)
    assert "\n" not in str(error)
    assert not {"pydantic", "ValidationError", "Input should", "Value error"} & set(
        str(error).split()
    )
    assert error.__cause__ is None


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One entry for each field, the missing and the unknown too."""
    with pytest.raises(InvalidParams) as caught:
        TrainingParams.model_validate(
            {"name": "..", "steps": 0, "arch": "flx1", "rank": 0, "stesp": 5, "colour": "red"}
        )

    problems = caught.value.problems
    assert {"name", "dataset", "steps", "arch", "rank", "stesp", "colour"} == problems.keys()
    assert "it is needed" == problems["dataset"]
    assert "no such field; did you mean 'steps'?" == problems["stesp"]
    assert "no such field" == problems["colour"]


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
    assert all(field.description for field in TrainingParams.model_fields.values())


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


@pytest.mark.parametrize("text", ["", "  ", "# only a comment", "~", "{}"])
def test_nothing_is_fine(text: str) -> None:
    """It changes nothing."""
    assert {} == parse_extra(text)
    assert draft(params()).config == draft(params(extra=text)).config


def test_a_whole_job_config_is_taken_apart() -> None:
    """As AI Toolkit's own files have it."""
    text = "job: extension\nconfig:\n  name: other\n  process:\n  - train: {optimizer: prodigy}\n"
    assert {"train": {"optimizer": "prodigy"}} == parse_extra(text)


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
