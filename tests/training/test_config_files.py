"""Job files of AI Toolkit: read as parameters, written again, and nothing lost on the way."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from aitk_nb._yaml import dumped, parsed
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.jobs.job import Job
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.training import config_files, presets
from aitk_nb.training.config_diff import fingerprint, plain_numbers
from aitk_nb.training.export import FORMATS
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams, diff
from aitk_nb.training.plan import plan
from tests.loops import for_each
from tests.scripted import ScriptedBackend
from tests.training.test_job_config import CHANGES, GROUND, on_server

EXAMPLES = sorted(Path(os.environ.get("AITK_EXAMPLES") or os.devnull).rglob("*.y*ml"))
"""AI Toolkit's own `config/examples`, where a variable says they are; they are not ours to keep."""

FILE = """
job: extension
config:
  name: my_flux
  process:
  - type: sd_trainer
    training_folder: output
    device: cuda:0
    trigger_word: zwx
    network: {type: lora, linear: 16, linear_alpha: 16}
    save: {dtype: float16, save_every: 500, push_to_hub: false}
    datasets:
    - {folder_path: /path/to/cats, caption_ext: txt, shuffle_tokens: false}
    - {folder_path: 'C:\\pictures\\dogs', resolution: [512], num_repeats: 2}
    train: {steps: 2000, lr: 1e-4, optimizer: dadaptation, noise_scheduler: flowmatch}
    model: {name_or_path: black-forest-labs/FLUX.1-dev, is_flux: true, quantize: true}
    sample: {sampler: flowmatch, prompts: [a cat, a dog], seed: 7, guidance_scale: 3.5}
    odd: {deep: [1, {x: null}]}
  - {type: second}
  other: 5
meta: {name: '[name]', version: '1.0', note: ours}
"""


def params(**fields: Any) -> TrainingParams:
    """Return parameters with these fields."""
    return TrainingParams(**{"name": "cat", "dataset": "cats", **fields})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A job file with much that we have no field for."""
    path = tmp_path / "job.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_is_read_into_its_fields(file: Path) -> None:
    """Names are the last part of folders, and an old file's `is_flux` is understood."""
    found = TrainingParams.from_file(file)

    assert ("my_flux", "cats", ("dogs",)) == (found.name, found.dataset, found.extra_datasets)
    assert ("flux", "", "qfloat8") == (found.arch, found.base_model, found.quantize)
    assert (2000, 1e-4, 16, 16) == (found.steps, found.learning_rate, found.rank, found.scale)
    assert ("zwx", 500, ("a cat", "a dog")) == (
        found.trigger_word,
        found.save_every,
        found.prompts,
    )
    assert (7, 3.5) == (found.sample_seed, found.guidance)
    assert "dadaptation" == draft(found).config["config"]["process"][0]["train"]["optimizer"]


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json", ".JSON"])
def test_written_again_it_says_the_same(file: Path, tmp_path: Path, suffix: str) -> None:
    """Every key, and no key more."""
    target = TrainingParams.from_file(file).to_file(tmp_path / f"again{suffix}")

    assert parsed(FILE) == config_files.read(target)
    assert TrainingParams.from_file(file) == TrainingParams.from_file(target)


def test_what_a_file_leaves_out_is_left_out_until_it_is_chosen(file: Path) -> None:
    """The trainer's own default holds then, and a choice takes effect."""
    found = TrainingParams.from_file(file)
    process = draft(found).config["config"]["process"][0]
    assert "conv" not in process["network"]
    assert "width" not in process["sample"]

    again = TrainingParams.from_file(file, sample_width=768, name="other")
    process = draft(again).config["config"]["process"][0]
    assert 768 == process["sample"]["width"]
    assert {"sample_width": (512, 768), "name": ("my_flux", "other")} == diff(found, again)


def test_what_has_no_field_of_its_own_is_named(file: Path) -> None:
    """Where somebody looks who has read a file; what was typed by hand needs no remark."""
    said = TrainingParams.from_file(file).advice["extra"]
    assert said.startswith("settings without a field of their own, kept as they are: ")
    assert "odd.deep" in said
    assert "extra" not in params(extra="network: {dropout: 0.1}").advice


def test_to_a_server_go_names_and_not_folders(file: Path) -> None:
    """Where the file's own folders, database and device have no meaning."""
    process = draft(TrainingParams.from_file(file)).config["config"]["process"][0]
    assert ["cats", "dogs"] == [entry["folder_path"] for entry in process["datasets"]]
    assert "training_folder" not in process
    assert "cuda:0" != process.get("device")


def test_another_dataset_has_no_folder_of_the_file(file: Path, tmp_path: Path) -> None:
    """Only the one that was read goes back to its place."""
    target = TrainingParams.from_file(file, dataset="birds").to_file(tmp_path / "x.yaml")
    folders = [
        d["folder_path"] for d in config_files.read(target)["config"]["process"][0]["datasets"]
    ]
    assert ["birds", "C:\\pictures\\dogs"] == folders


@for_each("arch", presets.load())
def test_our_own_configs_come_back_as_they_were(arch: str) -> None:
    """Every architecture's, with nothing in `extra`."""
    ours = params(arch=arch, prompts=["one", "two"])
    assert ours == TrainingParams.from_config(draft(ours).config)


def test_a_job_can_be_cloned() -> None:
    """Of its server's folders nothing is left, and what was typed into `extra` is kept."""
    ours = params(steps=9, gpu_ids="1", extra="train: {new: 1}\ndatasets: [{num_repeats: 3}]")
    posted = on_server(draft(ours).config)
    state = JobState(name="cat", status=JobStatus.COMPLETED, gpu_ids="1", config=posted)
    job = Job(ScriptedBackend(), state)

    back = job.params(name="cat_2")
    assert ("cat_2", 9, "1") == (back.name, back.steps, back.gpu_ids)
    assert "/srv" not in back.extra
    same = back.model_copy(update={"name": "cat"})
    assert fingerprint(draft(ours).config) == fingerprint(draft(same).config)
    plain = params(steps=9)
    state = JobState(name="cat", status=JobStatus.COMPLETED, config=on_server(draft(plain).config))
    assert plain == Job(ScriptedBackend(), state).params()


@pytest.mark.parametrize("field", sorted(CHANGES.keys() - {"extra"}))
def test_every_field_comes_back(field: str) -> None:
    """From the job config that it makes."""
    ours = (
        params(base_model="org/model", **GROUND.get(field, {}), **{field: CHANGES[field]})
        if field != "base_model"
        else (params(base_model=CHANGES[field]))
    )
    assert getattr(ours, field) == getattr(TrainingParams.from_config(draft(ours).config), field)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6).filter(lambda text: "${" not in text),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = (
    "lr steps optimizer linear linear_alpha conv quantize qtype arch name_or_path ema_config "
    "samples prompts seed width new dtype"
)
_section = st.dictionaries(st.sampled_from(KEYS.split()), _json, max_size=6)


@given(
    process=st.fixed_dictionaries(
        {
            "datasets": st.lists(
                st.builds(lambda d: {"folder_path": "/x/cats", **d}, _section),
                min_size=1,
                max_size=3,
            )
        },
        optional={
            **dict.fromkeys(("train", "network", "model", "sample", "save"), _section),
            **dict.fromkeys(("type", "device", "trigger_word", "training_seed", "odd"), _json),
        },
    ),
    around=_section,
)
def test_any_config_is_carried_whole(process: dict[str, Any], around: dict[str, Any]) -> None:
    """Whatever its keys hold, of whatever kind; or it is refused in our words."""
    config = {**around, "config": {"name": "cat", "process": [process]}}
    before = copy.deepcopy(config)
    try:
        found = TrainingParams.from_config(config)
    except InvalidParams:
        pytest.fail("a training was refused")
    assert before == config
    assert json.loads(json.dumps(config)) == config_files.file_config(found)


@given(_json)
def test_any_json_is_a_value_or_an_error(value: Any) -> None:
    """Never another exception."""
    for config in ({"config": value}, {"config": {"name": "x", "process": [value]}}):
        with pytest.raises(InvalidParams):
            TrainingParams.from_config(config)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    """Read with a safe loader and nothing else."""
    try:
        value = parsed(text)
    except ValueError:
        return
    json.dumps(value, allow_nan=False)


@given(_json)
def test_written_yaml_is_read_as_it_was(value: Any) -> None:
    """Also texts that look like numbers, and by the plain safe loader as far as it can."""
    assert value == parsed(dumped(value))
    assert json.dumps(value) == json.dumps(parsed(dumped(value)))


@pytest.mark.parametrize(
    "text",
    ["1e-4", "2024-01-31", "yes", "null", "0x1F", "1_000", "", "~", "\x85Ê]q", "\u2028", "\ud800"],
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    """For us and for AI Toolkit's own reader."""
    assert {"a": text} == parsed(dumped({"a": text})) == yaml.safe_load(dumped({"a": text}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "invalid YAML"),
        ("[1]", "expected a mapping at the top level"),
        (
            "job: extract\nconfig: {name: x, process: [{type: extract}]}",
            "required for a training job, which 'extract' is not",
        ),
        ("job: x\nconfig: {}", "a whole job config requires"),
        ("config: {process: [{datasets: [{folder_path: x}]}]}", "name"),
        ("config: {name: x, process: [{datasets: [{folder_path: 5}]}]}", "must be a string, not 5"),
        ("config: {name: x, process: [{datasets: [{folder_path: /a/..}]}]}", "dataset"),
        ("meta: 5\nconfig: {name: x, process: [{datasets: [{folder_path: x}]}]}", "meta"),
        (
            "config: {name: x, process: [{datasets: [{folder_path: x}], config: 1}]}",
            "a whole job config",
        ),
        (
            "config: {name: x, process: [{datasets: [{folder_path: x}], aitk_nb: {}}]}",
            "cannot be kept",
        ),
        ("config: {name: x, process: [{datasets: [{folder_path: x}], train: 5}]}", "'train' must"),
    ],
)
def test_what_is_no_training_is_told(text: str, says: str, tmp_path: Path) -> None:
    """In one sentence."""
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        TrainingParams.from_file(path)
    assert says in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(BadInput, match=r"Can't read .*none\.yaml"):
        TrainingParams.from_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "extra",
    [
        "aitk_nb: 5",
        "aitk_nb: {odd: {}}",
        "aitk_nb: {without: 5}",
        "aitk_nb: {around: {config: 5}}",
        "aitk_nb: {around: {meta: 5}}",
        "aitk_nb: {around: {config: {process: 5}}}",
        "aitk_nb: {here: {folders: 5}}",
        "aitk_nb: {here: {folders: [5]}}",
        "aitk_nb: {without: {a: '${HOME}'}}",
    ],
)
def test_the_note_of_a_file_is_checked(extra: str) -> None:
    """It may be typed like any other text."""
    with pytest.raises(InvalidParams):
        params(extra=extra)


@pytest.mark.skipif(not EXAMPLES, reason="AITK_EXAMPLES names no folder")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_ai_toolkits_own_examples_lose_nothing(path: Path, tmp_path: Path) -> None:
    """Each training is read and written the same; of the others it is said what they are.

    Nothing else is refused than what is not YAML at all, and what has no dataset to train on.
    """
    text = path.read_text(encoding="utf-8")
    try:
        process = yaml.safe_load(text)["config"]["process"][0]
    except yaml.YAMLError:
        with pytest.raises(BadInput, match="invalid YAML"):
            TrainingParams.from_file(path)
        pytest.skip("it is not YAML")
    if not process.get("datasets"):
        with pytest.raises(BadInput, match=f"{process['type']!r} is not"):
            TrainingParams.from_file(path)
        pytest.skip(f"it is not a training job but {process['type']}")
    found = TrainingParams.from_file(path)
    assert "extra" not in found.advice or "without a field" in found.advice["extra"]
    for suffix in (".yaml", ".json"):
        target = found.to_file(tmp_path / f"again{suffix}")
        assert config_files.read(path) == config_files.read(target)


# -- odd forms at the very places that are read ----------------------------------------------------


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of everything in a config."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


WHOLE = draft(params(prompts=["one", "two"], extra_datasets=["dogs"], ema=0.9)).config
PLACES = [path for path in places(WHOLE) if len(path) > 1]
_ODD = (
    _json
    | st.sampled_from(["512", "1e-4", "true", "", "${HOME}", "../x", "C:\\x\\y", [], {}, [[1]]])
    | st.sampled_from([-1, 0, 1, 10**30, -(10**400), 1e300, 0.5, 2**63])
)


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.just(None) | st.tuples(_ODD)), max_size=4))
@example([(("config", "process", 0, "train", "steps"), (10**400,))])
@example([(("config", "process", 0, "train", "steps"), (-(10**400),))])
@example([(("config", "process", 0, "train", "gradient_accumulation"), (10**400,))])
def test_odd_values_anywhere_are_carried_or_named(
    changes: list[tuple[tuple[str | int, ...], tuple[Any] | None]],
) -> None:
    """Changed or left out: what is accepted is written again as it was, and shows itself."""
    config = copy.deepcopy(dict(WHOLE))
    for (*above, leaf), change in changes:
        place: Any = config
        try:
            for key in above:
                place = place[key]
            if change is None:
                del place[leaf]
            else:
                place[leaf] = change[0]
        except (KeyError, IndexError, TypeError):
            continue
    try:
        found = TrainingParams.from_config(config)
    except InvalidParams:
        return
    expected = copy.deepcopy(config)
    if isinstance(expected.get("meta"), dict):
        expected["meta"].pop("aitk_nb", None)
    again = config_files.file_config(found)
    assert plain_numbers(expected) == plain_numbers(again)
    assert [text(found) for text in FORMATS.values()]
    assert found.advice is not None
    assert str(plan(found))
    assert len(str(plan(found, {"cats": [(512, 512)] * 12, "dogs": 3}))) < 200


def test_an_unknown_architecture_of_a_file_is_kept() -> None:
    """A newer server may know it; without a base model it is named."""
    config = copy.deepcopy(dict(WHOLE))
    model = config["config"]["process"][0]["model"]
    model |= {"arch": "zz_brand_new", "name_or_path": "org/new"}
    found = TrainingParams.from_config(config)
    assert ("zz_brand_new", "org/new") == (found.arch, found.base_model)

    del model["name_or_path"]
    assert "zz_brand_new" in str(draft(TrainingParams.from_config(config)).config)
