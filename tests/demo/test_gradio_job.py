"""From the form of the embedded Gradio app to a job: names, configs, refusals, captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from aitk_nb.demo.gradio import captions
from aitk_nb.demo.gradio.slug import slugify
from aitk_nb.demo.gradio.training import Form, Pace, Refused, job_config, train


def form(**fields: Any) -> Form:
    """Return a form as the page has it at first, with some fields changed."""
    given: dict[str, Any] = {
        "name": "A Job", "trigger": "", "steps": 20.0, "rate": 1e-3, "rank": 4.0, "model": "dev",
        "low_vram": True, "dataset": "datasets/x", "prompts": (), "advanced": None,
    }  # fmt: skip
    return Form(**given | fields)


def process(**fields: Any) -> dict[str, Any]:
    """Return the process of the job that such a form makes."""
    made: dict[str, Any] = job_config(form(**fields), "a-job")["config"]["process"][0]
    return made


@pytest.mark.parametrize(
    ("typed", "slug"),
    [
        ("My First LoRA!", "my-first-lora"),
        ("1,000 cats", "1000-cats"),
        ("cat's", "cat-s"),
        ("R&amp;D", "r-d"),
        ("Été  photo", "ete-photo"),
        ("Straße_2", "strasse-2"),
        ("--a/../b--", "a-b"),
        ("!!!", ""),
    ],
)
def test_the_name_of_the_folder(typed: str, slug: str) -> None:
    """As python-slugify, which the real app uses, makes it of Latin letters."""
    assert slug == slugify(typed)


def test_the_form_goes_into_the_config() -> None:
    """Numbers of the form become whole or real ones; the rank is the alpha too."""
    made = process(trigger="xyz", rank=8.0)

    assert (20, 1e-3) == (made["train"]["steps"], made["train"]["lr"])
    assert (8, 8) == (made["network"]["linear"], made["network"]["linear_alpha"])
    assert ("xyz", "datasets/x") == (made["trigger_word"], made["datasets"][0]["folder_path"])
    assert "trigger_word" not in process()


def test_prompts_make_samples_at_the_end() -> None:
    """Without one nothing is sampled; schnell takes four steps in any case."""
    with_prompts = process(prompts=("a cat",))

    assert process()["train"]["disable_sampling"] is True
    assert with_prompts["train"]["disable_sampling"] is False
    assert (20.0, 28, ["a cat"]) == tuple(
        with_prompts["sample"][key] for key in ("sample_every", "sample_steps", "prompts")
    )
    assert 4 == process(prompts=("a cat",), model="schnell")["sample"]["sample_steps"]


def test_the_yaml_wins() -> None:
    """Mappings are merged, however deep; lists and empty mappings take the place of what was."""
    made = process(
        advanced="train: {steps: 7, ema_config: {use_ema: false}}\n"
        "datasets: [{folder_path: other}]\nlogging: {use_ui_logger: true}\nsample: {}\n"
    )

    assert 7 == made["train"]["steps"]
    assert {"use_ema": False, "ema_decay": 0.99} == made["train"]["ema_config"]
    assert [{"folder_path": "other"}] == made["datasets"]
    assert ({"use_ui_logger": True}, {}) == (made["logging"], made["sample"])


@pytest.mark.parametrize(
    "advanced",
    [
        "training_folder: /tmp/elsewhere",
        "training_folder: ../up",
        "datasets: [{folder_path: /etc}]",
        "datasets: [{folder_path: datasets/x, dataset_path: ../..}]",
    ],
)
def test_nothing_is_read_or_written_outside(
    advanced: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is refused before its folder is made."""
    here = tmp_path / "data"
    here.mkdir()
    monkeypatch.chdir(here)

    with pytest.raises(Refused, match="leads out of this server's data folder"):
        train(form(advanced=advanced), Pace())

    assert ["tmp"] == [path.name for path in here.iterdir()]
    assert ["data"] == [path.name for path in tmp_path.iterdir()]


def test_a_name_of_signs_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would train into the folder of all jobs."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="no letter or digit"):
        train(form(name="!!!"), Pace())


def test_a_job_that_fails_was_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its config.yaml is there although the optimiser is unknown; `[name]` is replaced."""
    monkeypatch.chdir(tmp_path)
    advanced = "training_folder: 'some/[name]'\ntrain: {optimizer: nosuchopt}"

    with pytest.raises(ValueError, match="Unknown optimizer type nosuchopt"):
        train(form(advanced=advanced), Pace())

    config = yaml.safe_load((tmp_path / "some/a-job/a-job/config.yaml").read_text("utf-8"))
    assert "a-job" == config["config"]["name"]
    (kept,) = (tmp_path / "tmp").iterdir()
    assert kept.name.endswith("-a-job.yaml")


@pytest.mark.parametrize(
    ("color", "size", "text"),
    [
        ((250, 10, 10), (30, 10), "An evenly lit wide picture, mostly red."),
        ((5, 5, 5), (10, 30), "A dark tall picture, mostly black."),
        ((250, 250, 250), (10, 10), "A bright square picture, mostly white."),
    ],
)
def test_captions_say_what_can_be_measured(
    color: tuple[int, int, int], size: tuple[int, int], text: str, tmp_path: Path
) -> None:
    """Light, form and color."""
    Image.new("RGB", size, color).save(tmp_path / "a.png")

    assert text == captions.describe(tmp_path / "a.png")


def test_a_text_is_no_picture(tmp_path: Path) -> None:
    """The texts of a dataset end captioning with an error, as in the real app."""
    (tmp_path / "a.txt").write_text("a caption")

    with pytest.raises(OSError, match="cannot identify image file"):
        captions.describe(tmp_path / "a.txt")
