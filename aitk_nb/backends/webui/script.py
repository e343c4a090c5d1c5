"""The requests that create and start a job, as a script that runs without this package."""

import json

from aitk_nb._templates import filled
from aitk_nb.models import JobDraft, control_names


def curl(draft: JobDraft) -> str:
    """Return a shell script of the requests; it needs `jq`, AITK_URL and AITK_TOKEN.

    If the draft leaves the GPU open, the script picks the one with the most free memory.
    """
    # A quoted word keeps the shell's hands off the body, which is ASCII and has no such line.
    return _filled("start_job.sh.in", draft)


def python(draft: JobDraft) -> str:
    """Return a Python script of the requests; it needs httpx, AITK_URL and AITK_TOKEN.

    If the draft leaves the GPU open, the script picks the one with the most free memory.
    """
    # The body is ASCII, and nowhere in JSON do three quotes follow each other.
    return _filled("start_job.py.in", draft)


def _filled(name: str, draft: JobDraft) -> str:
    body = {"name": draft.name, "gpu_ids": draft.gpu_ids, "job_config": draft.config}
    controls = [
        (at, key, repr(control))
        for at, dataset in enumerate(draft.config["config"]["process"][0]["datasets"])
        for key, control in control_names(dataset).items()
    ]
    return filled(
        "aitk_nb.backends.webui",
        name,
        body=json.dumps(body, indent=2),
        gpu_ids=draft.gpu_ids,
        any_gpu=draft.any_gpu,
        controls=controls,
    )
