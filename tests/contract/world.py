"""Prepares what a case needs on a server, and takes it away again.

Everything is made by the API where the API can make it, so that a case runs on a real server
too. Names carry a prefix of their own, and whatever carries it is removed after the case.
"""

from __future__ import annotations

import copy
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aitk_nb.demo import NEWEST, EraName
from tests.contract import contents
from tests.contract.cases import fill
from tests.contract.wire import Part, Reply, Request, multipart, send, with_query

_RUN = uuid.uuid4().hex[:6]
_COUNT = itertools.count(1)

QUEUE = "93"
"""The queue for jobs that must not start: no machine has so many GPUs."""


@dataclass(frozen=True)
class Target:
    """A server to run cases on."""

    url: str
    """Its address."""

    token: str = ""
    """Its token; empty for an open server."""

    era: EraName = NEWEST
    """Which version it is."""

    data: Path | None = None
    """Its folder, when it is the embedded server; None for a real one."""

    @property
    def embedded(self) -> bool:
        """True for the embedded server."""
        return self.data is not None


def build(target: Target, raw: dict[str, Any]) -> Request:
    """Return the request that a filled-in case describes, with the target's token."""
    headers = {str(key).lower(): value for key, value in raw.get("headers", {}).items()}
    if target.token:
        headers.setdefault("authorization", f"Bearer {target.token}")
    body: bytes | None = None
    if "json" in raw:
        body = json.dumps(raw["json"]).encode()
        headers.setdefault("content-type", "application/json")
    elif "multipart" in raw:
        kind, body = multipart([_part(part) for part in raw["multipart"]])
        headers.setdefault("content-type", kind)
    elif "raw" in raw:
        body = raw["raw"].encode()
    until = raw.get("read_until")
    return Request(
        method=raw.get("method", "GET"),
        path=with_query(raw["path"], raw.get("query")),
        headers=tuple((key, value) for key, value in headers.items() if value is not None),
        body=body,
        read_until=until.encode() if until else None,
    )


def _part(raw: dict[str, Any]) -> Part:
    if "file" in raw:
        name = raw["file"]
        return Part(raw.get("field", "files"), contents.make(raw.get("content", ""), name), name)
    return Part(raw["field"], str(raw["value"]).encode())


@dataclass
class World:
    """What exists on one server for one case; `close` removes it."""

    target: Target
    """The server."""

    values: dict[str, Any] = field(default_factory=dict)
    """What placeholders stand for."""

    prefix: str = ""
    """What every name made for this case begins with."""

    _restore: dict[str, str] | None = None

    def call(self, raw: dict[str, Any]) -> Reply:
        """Return the answer to one request."""
        return send(self.target.url, build(self.target, raw))

    def open(self, needs: dict[str, Any]) -> None:
        """Make everything that the case needs."""
        self.prefix = f"aitkct_{_RUN}_{next(_COUNT):03d}"
        settings = self._ask({"path": "/api/settings"})
        sep = "\\" if "\\" in settings["DATASETS_FOLDER"] else "/"
        self.values |= {
            "u": self.prefix,
            "U": self.prefix.upper(),
            "sep": sep,
            "token": self.target.token,
            "settings": settings,
            "queue": QUEUE,
        }
        if needs.get("settings") == "restored":
            self._restore = settings
        datasets = needs.get("datasets", {}) | _one(needs, "dataset")
        for key, spec in datasets.items():
            self.values[key] = self._dataset(key, fill(spec or {}, self.values))
        for key, spec in (needs.get("jobs", {}) | _one(needs, "job")).items():
            self.values[key] = self._job(key, fill(spec or {}, self.values))
        for name, content in needs.get("job_files", {}).items():
            assert self.target.data is not None
            folder = self.target.data / "output" / self.values["job"]["name"]
            contents.write(folder / name, content)

    def close(self) -> None:
        """Remove what carries the prefix, and put the settings back."""
        for job in self._ask({"path": "/api/jobs"})["jobs"]:
            if self.prefix in job["name"]:
                self._remove(job)
        for name in self._ask({"path": "/api/datasets/list"}):
            if name.startswith(self.prefix):
                self._post("/api/datasets/delete", {"name": name})
        if self._restore is not None:
            keys = ("HF_TOKEN", "TRAINING_FOLDER", "DATASETS_FOLDER", "MODELS_PATH")
            self._post("/api/settings", {key: self._restore.get(key, "") for key in keys})

    def _ask(self, raw: dict[str, Any]) -> Any:
        reply = self.call(raw)
        assert reply.status == 200, f"preparing: {raw['path']} answered {reply.status}"
        return reply.json()

    def _post(self, path: str, body: Any) -> Any:
        return self._ask({"method": "POST", "path": path, "json": body})

    def _dataset(self, key: str, spec: dict[str, Any]) -> dict[str, Any]:
        name = f"{self.prefix}_{key}"
        self._post("/api/datasets/create", {"name": name})
        for file, content in spec.get("files", {}).items():
            parts = [{"field": "datasetName", "value": name}, {"file": file, "content": content}]
            self._ask({"method": "POST", "path": "/api/datasets/upload", "multipart": parts})
        return {"name": name, "root": self._path("DATASETS_FOLDER", name)}

    def _path(self, setting: str, name: str) -> str:
        return f"{self.values['settings'][setting]}{self.values['sep']}{name}"

    def _job(self, key: str, spec: dict[str, Any]) -> dict[str, Any]:
        name = f"{self.prefix}_{key}"
        dataset = self.values.get("dataset", {}).get("root", "")
        config = job_config(name, self.values["settings"]["TRAINING_FOLDER"], dataset)
        body = {"name": name, "gpu_ids": QUEUE, "job_config": merge(config, spec.get("config", {}))}
        body |= {key: value for key, value in spec.items() if key != "config"}
        job = self._post("/api/jobs", body)
        return {**job, "folder": self._path("TRAINING_FOLDER", name)}

    def _remove(self, job: dict[str, Any]) -> None:
        path = f"/api/jobs/{job['id']}"
        if job["status"] == "running" and job.get("pid") is not None:
            self.call({"path": f"{path}/stop"})
            time.sleep(0.5)
        self.call({"path": f"{path}/mark_stopped"})
        self.call({"path": f"{path}/delete"})


def _one(needs: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: needs[key]} if key in needs else {}


def merge(base: Any, change: Any) -> Any:
    """Return `base` with `change` merged in; lists are merged by position."""
    if isinstance(base, dict) and isinstance(change, dict):
        merged = {key: merge(base.get(key), value) for key, value in change.items()}
        return copy.deepcopy(base) | merged
    if isinstance(base, list) and isinstance(change, list) and base:
        pairs = itertools.zip_longest(base, change[: len(base)])
        return [merge(old, new) if new is not None else old for old, new in pairs]
    return copy.deepcopy(change)


def job_config(name: str, training_folder: str, dataset: str) -> dict[str, Any]:
    """Return a small job config with the keys that the server's own form posts."""
    process = {
        "type": "diffusion_trainer",
        "training_folder": training_folder,
        "device": "cuda",
        "trigger_word": None,
        "performance_log_every": 10,
        "network": {"type": "lora", "linear": 4, "linear_alpha": 4},
        "save": {"dtype": "float32", "save_every": 10, "max_step_saves_to_keep": 4},
        "datasets": [{"folder_path": dataset, "caption_ext": "txt", "resolution": [64]}],
        "train": {"batch_size": 1, "steps": 24, "lr": 0.001, "disable_sampling": True},
        "logging": {"log_every": 1, "use_ui_logger": True},
        "model": {"name_or_path": "ostris/Flex.1-alpha", "arch": "flex1"},
        "sample": {"sample_every": 1000, "width": 64, "height": 64, "seed": 42, "samples": []},
    }
    return {
        "job": "extension",
        "config": {"name": name, "process": [process]},
        "meta": {"name": "[name]", "version": "1.0"},
    }
