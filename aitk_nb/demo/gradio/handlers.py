"""What the functions of the embedded Gradio server do, oddities of AI Toolkit's app included.

The names of the methods are the endpoints' names and the names of their parameters are those of the
API, so neither is free to change.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from aitk_nb.demo.gradio import captions as gradio_captions
from aitk_nb.demo.gradio import training

MAX_IMAGES = 150

_ONLY_LOCAL = (
    "Started training locally. Your LoRa will only be available locally because you didn't login"
    " with a `write` token to Hugging Face"
)
_NO_NAME = "You forgot to insert your LoRA name! This name has to be unique."
_TOO_FEW = (
    "Please upload at least 2 images to train your model (the ideal number with default settings"
    " is between 4-30)"
)
_TOO_MANY = f"For now, only {MAX_IMAGES} or less images are allowed for training"


class Handlers:
    """The functions behind the page; they work below the current folder."""

    def __init__(self, pace: training.Pace, *, captioner: bool = True) -> None:
        """Train at a `pace`; without a `captioner`, captioning fails as where its model is not."""
        self._pace = pace
        self._captioner = captioner

    def load_captioning(self, uploaded_files: list[str], concept_sentence: str) -> list[Any]:
        """Show a caption for each image: that of its `.txt`, else the trigger word's place."""
        images = [file for file in uploaded_files if not file.endswith(".txt")]
        if len(images) <= 1:
            raise gr.Error(_TOO_FEW)
        if len(images) > MAX_IMAGES:
            raise gr.Error(_TOO_MANY)
        texts = {Path(file).stem: Path(file) for file in uploaded_files if file.endswith(".txt")}
        updates = [gr.update(visible=True)]
        for place in range(MAX_IMAGES):
            image = images[place] if place < len(images) else None
            updates += _caption_row(image, texts, concept_sentence)
        return updates + _sample_rows(concept_sentence)

    def hide_captioning(self) -> tuple[Any, Any, Any]:
        """Hide what `load_captioning` has shown."""
        return gr.update(visible=False), gr.update(visible=False), gr.update(visible=False)

    def create_dataset(self, *inputs: Any) -> str:
        """Copy the files into a new folder, and return it, for the session only.

        The captions go into `metadata.jsonl`, which no training reads.
        """
        files = inputs[0]
        folder = f"datasets/{uuid.uuid4()}"
        Path(folder).mkdir(parents=True, exist_ok=True)
        with Path(folder, "metadata.jsonl").open("a", encoding="utf-8") as lines:
            for place, file in enumerate(files):
                name = Path(shutil.copy(file, folder)).name
                line = {"file_name": name, "prompt": inputs[place + 1]}
                lines.write(json.dumps(line) + "\n")
        return folder

    def run_captioning(
        self, images: list[str], concept_sentence: str, *captions: str
    ) -> Iterator[list[str]]:
        """Yield all captions again after each image."""
        if not self._captioner:
            raise OSError(gradio_captions.MISSING)
        written = list(captions)
        for place, image in enumerate(images):
            text = gradio_captions.describe(Path(image))
            written[place] = f"{text} [trigger]" if concept_sentence else text
            yield written

    def start_training(
        self,
        lora_name: str,
        concept_sentence: str,
        steps: float,
        lr: float,
        rank: float,
        model_to_train: str,
        low_vram: bool,
        dataset_folder: str | None,
        sample_1: str,
        sample_2: str,
        sample_3: str,
        use_more_advanced_options: bool,
        more_advanced_options: str,
    ) -> str:
        """Train, and return the sentence that says so when all is done."""
        if not lora_name:
            raise gr.Error(_NO_NAME)
        # The real app asks Hugging Face who is logged in; here nobody ever is.
        gr.Warning(_ONLY_LOCAL)
        form = training.Form(
            name=lora_name,
            trigger=concept_sentence,
            steps=steps,
            rate=lr,
            rank=rank,
            model=model_to_train,
            low_vram=low_vram,
            dataset=dataset_folder,
            prompts=tuple(prompt for prompt in (sample_1, sample_2, sample_3) if prompt),
            advanced=more_advanced_options if use_more_advanced_options else None,
        )
        slug = training.train(form, self._pace)
        return f"Training completed successfully. Model saved as {slug}"


def _caption_row(image: str | None, texts: dict[str, Path], trigger: str) -> list[Any]:
    """Return the updates of one row, its image and its caption."""
    if image is None:
        hidden = gr.update(value=None, visible=False)
        return [gr.update(visible=False), hidden, hidden]
    beside = texts.get(Path(image).stem)
    # Read in the encoding of the machine, as there.
    caption = beside.read_text() if beside else ""
    caption = caption or ("[trigger]" if trigger else "")
    return [
        gr.update(visible=True),
        gr.update(value=image, visible=True),
        gr.update(value=caption or None, visible=True),
    ]


def _sample_rows(trigger: str) -> list[Any]:
    place = f"A person in a bustling cafe {trigger}"
    return [
        gr.update(visible=True),
        gr.update(placeholder=f"A portrait of person in a bustling cafe {trigger}", value=place),
        gr.update(placeholder=f"A mountainous landscape in the style of {trigger}"),
        gr.update(placeholder=f"A {trigger} in a mall"),
        gr.update(visible=True),
    ]
