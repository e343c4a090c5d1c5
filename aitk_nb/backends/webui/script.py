"""The requests that create and start a job, as a script that runs without this package."""

from __future__ import annotations

import json

from aitk_nb.models.control_images import control_names
from aitk_nb.models.job import JobDraft


def _body(draft: JobDraft) -> str:
    body = {"name": draft.name, "gpu_ids": draft.gpu_ids, "job_config": draft.config}
    return json.dumps(body, indent=2)


def _controls(draft: JobDraft) -> list[tuple[int, str, str]]:
    """Return the control datasets: the number of their dataset, their key and their name."""
    datasets = draft.config["config"]["process"][0]["datasets"]
    return [
        (at, key, name)
        for at, dataset in enumerate(datasets)
        for key, name in control_names(dataset).items()
    ]


def curl(draft: JobDraft) -> str:
    """Return a shell script of the requests; it needs `jq`, AITK_URL and AITK_TOKEN.

    If the draft leaves the GPU open, the script picks the one with the most free memory.
    """
    gpu = f"gpu={draft.gpu_ids}"
    if draft.any_gpu:
        ask = "[.gpus[]] | max_by(.memory.free) | .index // 0"
        gpu = f"gpu=$(ask \"$AITK_URL/api/gpu\" | jq -r '{ask}')"
    controls = "".join(
        f'\n    | .datasets[{at}].{key} |= $at.DATASETS_FOLDER + "/" + .'
        for at, key, _name in _controls(draft)
    )
    # The quoted word keeps the shell's hands off the body, which is ASCII and has no such line.
    return f"""\
ask() {{
  curl -fsS -H "Authorization: Bearer $AITK_TOKEN" -H "Content-Type: application/json" "$@"
}}
folders=$(ask "$AITK_URL/api/settings")
{gpu}
job=$(jq --argjson at "$folders" --arg gpu "$gpu" '
  .gpu_ids = $gpu | .job_config.config.process[0] |= (.training_folder = $at.TRAINING_FOLDER
    | .datasets[].folder_path |= $at.DATASETS_FOLDER + "/" + .{controls})' <<'BODY' |
{_body(draft)}
BODY
  ask "$AITK_URL/api/jobs" --data-binary @-)
ask "$AITK_URL/api/jobs/$(jq -r .id <<< "$job")/start"
ask "$AITK_URL/api/queue/$gpu/start"
"""


_FREEST = """\
gpus = server.get("/api/gpu").raise_for_status().json().get("gpus") or [{"index": 0}]
free = [gpu.get("memory", {}).get("free") or 0 for gpu in gpus]
body["gpu_ids"] = str(gpus[free.index(max(free))]["index"])
"""


def python(draft: JobDraft) -> str:
    """Return a Python script of the requests; it needs httpx, AITK_URL and AITK_TOKEN.

    If the draft leaves the GPU open, the script picks the one with the most free memory.
    """
    controls = "".join(
        f'process["datasets"][{at}]["{key}"] = folders["DATASETS_FOLDER"] + "/" + {name!r}\n'
        for at, key, name in _controls(draft)
    )
    # The body is ASCII, and nowhere in JSON do three quotes follow each other.
    return f'''\
import json
import os

import httpx

token = os.environ.get("AITK_TOKEN", "")
headers = {{"Authorization": f"Bearer {{token}}"}} if token else {{}}
server = httpx.Client(base_url=os.environ["AITK_URL"], headers=headers)
body = json.loads(r"""
{_body(draft)}
""")
{_FREEST if draft.any_gpu else ""}folders = server.get("/api/settings").raise_for_status().json()
process = body["job_config"]["config"]["process"][0]
process["training_folder"] = folders["TRAINING_FOLDER"]
for entry in process["datasets"]:
    entry["folder_path"] = folders["DATASETS_FOLDER"] + "/" + entry["folder_path"]
{controls}job = server.post("/api/jobs", json=body).raise_for_status().json()
server.get(f"/api/jobs/{{job['id']}}/start").raise_for_status()
server.get(f"/api/queue/{{body['gpu_ids']}}/start").raise_for_status()
'''
