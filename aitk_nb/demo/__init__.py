"""A training server on loopback: `start()` one, or share the one of this process.

`start` is AI Toolkit's web UI, `start_gradio` its Gradio app; `RunPodServer` is a cloud of them.

Importing this loads nothing but the standard library; the web framework comes with `start`.
"""

from aitk_nb.demo.common.folder_lock import FolderInUse
from aitk_nb.demo.gradio.server import GradioMissing, GradioServer, start_gradio
from aitk_nb.demo.runpod.server import RunPodServer, shared_runpod
from aitk_nb.demo.shared import shared, split
from aitk_nb.demo.webui.eras import NEWEST, EraName
from aitk_nb.demo.webui.server import DemoServer, start

__all__ = [
    "NEWEST",
    "DemoServer",
    "EraName",
    "FolderInUse",
    "GradioMissing",
    "GradioServer",
    "RunPodServer",
    "shared",
    "shared_runpod",
    "split",
    "start",
    "start_gradio",
]
