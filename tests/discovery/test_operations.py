"""The operation map: matched to unknown apps, written, corrected and read again."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb._yaml import parsed
from aitk_nb.backends.gradio.endpoints import read_app
from aitk_nb.backends.gradio.matching import match
from aitk_nb.backends.gradio.vocabulary import TRAINING_WORDS, arguments_of
from aitk_nb.discovery.operations_file import api_names, dumped
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS, Endpoint, Parameter, described, rows
from aitk_nb.models.server import Flavour
from aitk_nb.training.fields import schema

FOLDER = Path(__file__).parent / "gradio_documents"

AI_TOOLKIT = {
    "name": "lora_name",
    "trigger_word": "concept_sentence",
    "steps": "steps",
    "learning_rate": "lr",
    "rank": "rank",
    "base_model": "model_to_train",
    "prompts": ("sample_1", "sample_2", "sample_3"),
    "low_vram": "low_vram",
    "use_advanced": "use_more_advanced_options",
    "advanced": "more_advanced_options",
}


def document(name: str) -> Any:
    """Return what the embedded app answers under that generation; `capture.py` makes them."""
    return json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))


@pytest.mark.parametrize("major", [4, 5, 6])
def test_ai_toolkits_own_app_is_known_under_each_generation(major: int) -> None:
    """From real documents: functions, the hidden State, the generator, the order of calls."""
    app = read_app(document(f"gradio-{major}-config"), document(f"gradio-{major}-info"))
    by_name = {endpoint.name: endpoint for endpoint in app.endpoints}
    train = by_name["/start_training"]

    assert str(major) == app.version[0]
    assert ("" if major == 4 else "/gradio_api") == app.prefix
    assert 6 == len(by_name)
    assert by_name["/run_captioning"].generator
    assert not train.generator
    assert 13 == len(train.parameters)
    assert [7] == [at for at, parameter in enumerate(train.parameters) if parameter.hidden]
    assert train.parameters[5].choices == ("dev", "schnell")
    assert 1000 == train.parameters[2].default
    assert "param_0: list of file, param_1 … param_150: string" == described(
        by_name["/create_dataset"].parameters
    )
    found = match(app.endpoints)
    assert {1.0} == {operation.confidence for operation in found.values()}
    assert ("upload", "/create_dataset", "/start_training") == found["start training"].calls
    assert AI_TOOLKIT == found["start training"].arguments


@pytest.mark.parametrize("major", [4, 5, 6])
def test_without_info_the_page_tells_nearly_as_much(major: int) -> None:
    """Labels stand in for names."""
    app = read_app(document(f"gradio-{major}-config"), None)
    found = match(app.endpoints)

    assert "/start_training" == found["start training"].api_name
    assert "param_3" == found["start training"].arguments["learning_rate"]


def function(name: str, *parameters: Parameter, returns: str = "Textbox: string") -> Endpoint:
    """Return a function of some app."""
    return Endpoint(f"/{name}", "POST", f"/call/{name}", "", parameters, returns, index=0)


def test_a_fork_with_other_names_is_matched_by_words_and_types() -> None:
    """Another trainer: files are given to a function of its own, and it tells its progress."""
    files = Parameter("images", "list of file", required=True, about="Training images")
    numbers = [
        Parameter("max_train_steps", "number", default=1600),
        Parameter("unet_lr", "number", default=1e-4, about="Learning rate"),
        Parameter("network_dim", "number", default=32),
        Parameter("train_batch_size", "integer", default=1),
        Parameter("output_name", "string", required=True),
        Parameter("pretrained_model_name_or_path", "string", default="sdxl"),
    ]
    found = match(
        [
            function("toggle_training_options", *numbers[:2]),
            function("prepareDataset", files, Parameter("caption_prefix"), Parameter("captions")),
            function("run_training", *numbers),
            function("get_progress"),
            function("download_model", returns="File: file"),
            function("clear_images", files),
        ]
    )

    assert ("upload", "/prepareDataset") == found["create dataset"].calls
    assert "/run_training" == found["start training"].api_name
    arguments = found["start training"].arguments
    assert ("max_train_steps", "unet_lr") == (arguments["steps"], arguments["learning_rate"])
    assert ("network_dim", "output_name") == (arguments["rank"], arguments["name"])
    assert "/get_progress" == found["job status"].api_name
    assert "/download_model" == found["download LoRA"].api_name
    assert all(0.4 < operation.confidence < 1 for operation in found.values())
    assert all(operation.reasons for operation in found.values())


def test_images_may_be_given_to_the_training_itself() -> None:
    """Then there is no dataset to create, and it says so."""
    files = Parameter("photos", "list of file", required=True)
    train = function("train_lora", files, Parameter("steps", "number"), Parameter("lr", "number"))
    found = match([train])

    assert ("upload", "/train_lora") == found["start training"].calls
    assert () == found["create dataset"].calls
    assert "training function itself" in found["create dataset"].reasons[0]


def trainer(*more: Parameter) -> Endpoint:
    """Return a function that surely trains."""
    return function("run_training", Parameter("steps", "number"), Parameter("lr", "number"), *more)


PHOTOS = Parameter("param_0", "list of file", required=True, about="Files (.png, .jpg)")


@pytest.mark.parametrize("verb", ["import", "ingest", "load", "register", "collect", "save"])
def test_any_verb_that_takes_images_may_make_the_dataset(verb: str) -> None:
    """The file types say that they are images; of models, nothing is guessed."""
    (made, models) = (
        match([trainer(), function(f"{verb}_files", files)])["create dataset"]
        for files in (PHOTOS, Parameter("file", "list of file", about="Files (.safetensors)"))
    )

    assert ("upload", f"/{verb}_files") == made.calls
    assert "images, by its label or its file types" in made.reasons
    assert () == models.calls
    assert f"/{verb}_files" in models.reasons[0]


@pytest.mark.parametrize("label", ["Create the dataset", "Make data set", "Dataset"])
def test_a_label_of_the_page_counts(label: str) -> None:
    """The function itself has a name that says nothing."""
    made = function("process", Parameter("uploads", "list of file"))
    made = replace(made, does=f"what '{label}' does on click")
    found = match([trainer(), made])["create dataset"]

    assert "/process" == found.api_name
    assert "the page says so" in found.reasons


def test_several_candidates_are_listed() -> None:
    """The best one is taken; with none that is sure, those that take files are named."""
    names = ("create_dataset", "upload_images", "import_photos")
    found = match([trainer(), *(function(name, PHOTOS) for name in names)])["create dataset"]
    assert "/create_dataset" == found.api_name
    assert "it may also be /upload_images, /import_photos" == found.reasons[-1]

    unsure = match([trainer(), *(function(name, PHOTOS) for name in ("go", "next"))])
    reasons = unsure["create dataset"].reasons
    assert ("none of the functions that take files is surely for it: /go, /next",) == reasons
    assert ("no function takes files",) == match([trainer()])["create dataset"].reasons


@pytest.mark.parametrize("defaults", [range(8), [1, 1, 1, True, 1, 1], ["", "", "", "a", "", ""]])
def test_numbered_parameters_with_other_defaults_are_no_row(defaults: Any) -> None:
    """Only what is sent alike is written as one."""
    numbered = [Parameter(f"p_{at}", "any", default=value) for at, value in enumerate(defaults)]

    assert len(numbered) == len(rows(numbered))
    assert 1 == len(rows([replace(one, default=0) for one in numbered]))


def test_the_words_of_apps_are_for_parameters_that_there_are() -> None:
    """All but two are training parameters, by their own names."""
    assert {"use_advanced", "advanced"} == TRAINING_WORDS.keys() - schema().keys()


def test_an_app_that_does_not_train_has_no_operations() -> None:
    """A chat or an upscaler is not mistaken for a trainer."""
    app = [
        function("chat", Parameter("message"), Parameter("seed", "number")),
        function("upscale", Parameter("image", "file"), returns="Image: file"),
    ]

    assert not any(operation.calls for operation in match(app).values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["named_endpoints", "unnamed_endpoints", "parameters", "returns", "type", "label",
                 "parameter_name", "parameter_has_default", "parameter_default", "python_type",
                 "component", "components", "dependencies", "inputs", "outputs", "id", "props",
                 "api_name", "targets", "types", "api_prefix", "version", "items", "enum", "/x"]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)  # fmt: skip
FUNCTIONS = st.fixed_dictionaries(
    {"named_endpoints": st.dictionaries(st.text(max_size=12), JSON, max_size=3)},
    optional={"unnamed_endpoints": JSON},
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "dependencies": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "id": JSON, "api_name": JSON, "inputs": st.lists(st.integers(0, 3)) | JSON,
                    "outputs": JSON, "targets": JSON, "types": JSON, "backend_fn": JSON,
                },
            ),
            max_size=3,
        ),
        "components": st.lists(
            st.fixed_dictionaries(
                {"id": st.integers(0, 3)},
                optional={"type": JSON, "props": JSON, "api_info": JSON, "skip_api": JSON},
            ),
            max_size=4,
        ),
        "api_prefix": JSON,
        "version": JSON,
    },
)  # fmt: skip


@given(config=CONFIGS | JSON, info=FUNCTIONS | JSON)
def test_no_document_makes_reading_or_matching_fail(config: Any, info: Any) -> None:
    """Whatever a server says, there are endpoints that can be shown, and four operations."""
    app = read_app(config, info)
    found = match(app.endpoints)

    assert list(OPERATIONS) == list(found)
    for endpoint in app.endpoints:
        assert isinstance(described(endpoint.parameters), str)
        arguments_of(endpoint.parameters)
    named = {name: one.api_name for name, one in found.items() if one.api_name}
    assert named == api_names(parsed(dumped(found, "http://x", Flavour.GRADIO)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "invalid YAML"),
        ("a: 1", "expected a mapping named 'operations'"),
        ("operations: {fly: {calls: []}}", "unknown operation 'fly'; choose from create dataset"),
        ("operations: {job status: [go]}", "should be a valid dictionary"),
        ("operations: {job status: {api_name: 3}}", "api_name: Input should be a valid string"),
    ],
)
def test_a_mistake_in_the_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    """With the file, and what is meant instead."""
    path = tmp_path / "server.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(BadInput, match=r"server\.yaml") as caught:
        api_names(path)
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """As bad input."""
    with pytest.raises(BadInput, match=r"absent\.yaml cannot be read"):
        api_names(tmp_path / "absent.yaml")


def test_the_functions_that_a_file_names(tmp_path: Path) -> None:
    """Names with spaces or underscores, entries as names or as mappings."""
    path = tmp_path / "server.yaml"
    path.write_text(
        "flavour: gradio\noperations:\n  create_dataset: make\n"
        "  start training: {api_name: /train, calls: [upload, /train]}\n"
        "  write captions: caption\n  job status: {calls: []}\n"
    )
    made = {"create dataset": "/make", "start training": "/train", "write captions": "/caption"}
    assert made == api_names(path) == api_names(made)
    assert {} == api_names(None)
    for text in ("[", "- a", "operations: 3", "operations: {create dataset: 3}"):
        path.write_text(text)
        with pytest.raises(BadInput):
            api_names(str(path))
    with pytest.raises(BadInput, match="cannot be read"):
        api_names(tmp_path / "none.yaml")
