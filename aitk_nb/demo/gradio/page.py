"""The page of the embedded Gradio server: AI Toolkit's components and events, in its order.

The order is part of the contract: Gradio numbers components as they are made and functions as they
are bound, and what a client sends is matched by place.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import gradio as gr

from aitk_nb.demo.gradio.handlers import MAX_IMAGES, Handlers

ADVANCED = Path(__file__).with_name("advanced.yaml")
"""What the field for advanced options holds at first."""

_TITLE = """# LoRA Ease for FLUX, embedded
### The Gradio app of AI Toolkit, as aitk-nb's embedded server answers for it"""
_CAPTIONING = """# Custom captioning
Each image may have a caption of its own. [trigger] stands for the trigger word."""
_PROMPTS = "Prompts to try the LoRA with. Mention the trigger word (optional)."
_CSS = ".group_padding{padding: .55em}"


class Page:
    """The components that the events need, and the events."""

    def __init__(self) -> None:
        """Make all components, inside an open `gr.Blocks`."""
        gr.Markdown(_TITLE)
        with gr.Column():
            self._names()
            with gr.Group(visible=True), gr.Row():
                self._images()
            self._options()
            self._samples()
            self.start = gr.Button("Start training", visible=False)
            self.progress = gr.Markdown("")
        self.dataset = gr.State()

    def _names(self) -> None:
        with gr.Row():
            self.name = gr.Textbox(
                label="The name of your LoRA", info="This has to be a unique name"
            )
            self.trigger = gr.Textbox(
                label="Trigger word/sentence",
                info="Trigger word or sentence to be used",
                interactive=True,
            )

    def _images(self) -> None:
        self.images = gr.File(
            file_types=["image", ".txt"],
            label="Upload your images",
            file_count="multiple",
            interactive=True,
            visible=True,
            scale=1,
        )
        with gr.Column(scale=3, visible=False) as self.area, gr.Column():
            gr.Markdown(_CAPTIONING, elem_classes="group_padding")
            self.caption_all = gr.Button("Add AI captions with Florence-2")
            self.shown: list[Any] = [self.area]
            self.captions: list[Any] = []
            for number in range(1, MAX_IMAGES + 1):
                self._row(number)

    def _row(self, number: int) -> None:
        with gr.Row(visible=False) as row:
            image = gr.Image(
                type="filepath",
                width=111,
                height=111,
                min_width=111,
                interactive=False,
                scale=2,
                show_label=False,
                **_without_buttons(),
            )
            caption = gr.Textbox(label=f"Caption {number}", scale=15, interactive=True)
        self.shown += [row, image, caption]
        self.captions.append(caption)

    def _options(self) -> None:
        with gr.Accordion("Advanced options", open=False):
            self.steps = gr.Number(label="Steps", value=1000, minimum=1, maximum=10000, step=1)
            self.rate = gr.Number(
                label="Learning Rate", value=4e-4, minimum=1e-6, maximum=1e-3, step=1e-6
            )
            self.rank = gr.Number(label="LoRA Rank", value=16, minimum=4, maximum=128, step=4)
            self.model = gr.Radio(["dev", "schnell"], value="dev", label="Model to train")
            self.low_vram = gr.Checkbox(label="Low VRAM", value=True)
            with gr.Accordion("Even more advanced options", open=False):
                self.more = gr.Checkbox(label="Use more advanced options", value=False)
                self.advanced = gr.Code(ADVANCED.read_text("utf-8"), language="yaml")

    def _samples(self) -> None:
        with gr.Accordion("Sample prompts (optional)", visible=False) as self.sample:
            gr.Markdown(_PROMPTS)
            self.prompts = [gr.Textbox(label=f"Test prompt {number}") for number in (1, 2, 3)]

    def bind(self, handlers: Handlers) -> None:
        """Bind the events; `Handlers` names the endpoints by its methods."""
        for handler in filter(inspect.isfunction, vars(Handlers).values()):
            # Gradio publishes docstrings as descriptions, and the real app's functions have none.
            handler.__doc__ = None
        shown = [*self.shown, self.sample, *self.prompts, self.start]
        pictures = [self.images, self.trigger]
        self.images.upload(handlers.load_captioning, inputs=pictures, outputs=shown)
        self.images.delete(handlers.load_captioning, inputs=pictures, outputs=shown)
        self.images.clear(handlers.hide_captioning, outputs=[self.area, self.sample, self.start])
        made = self.start.click(
            handlers.create_dataset, inputs=[self.images, *self.captions], outputs=self.dataset
        )
        made.then(handlers.start_training, inputs=self._thirteen(), outputs=self.progress)
        self.caption_all.click(
            handlers.run_captioning, inputs=[*pictures, *self.captions], outputs=self.captions
        )

    def _thirteen(self) -> list[Any]:
        numbers = [self.steps, self.rate, self.rank]
        return [
            *(self.name, self.trigger, *numbers, self.model, self.low_vram),
            *(self.dataset, *self.prompts, self.more, self.advanced),
        ]


def build(handlers: Handlers) -> tuple[Any, dict[str, Any]]:
    """Return the app, and what its `launch` needs to be told about looks."""
    looks = {"theme": gr.themes.Monochrome(font=["system-ui", "sans-serif"]), "css": _CSS}
    late = "theme" in inspect.signature(gr.Blocks.launch).parameters  # since Gradio 6
    # Telemetry stays off whatever the environment says.
    with gr.Blocks(analytics_enabled=False, **({} if late else looks)) as blocks:
        Page().bind(handlers)
    return blocks, looks if late else {}


def _without_buttons() -> dict[str, Any]:
    """Return what AI Toolkit's page says of buttons, where this Gradio still knows the words."""
    known = inspect.signature(gr.Image.__init__).parameters
    words = ("show_share_button", "show_download_button")
    return {word: False for word in words if word in known}
