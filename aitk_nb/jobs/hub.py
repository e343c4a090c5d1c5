"""`HubPush`: a job's LoRA on its way to the Hugging Face Hub, with a model card."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from aitk_nb._display import html
from aitk_nb._files import sha256
from aitk_nb._templates import filled
from aitk_nb._units import size
from aitk_nb._yaml import dumped
from aitk_nb.errors import AitkError, BadInput, MissingExtra
from aitk_nb.models.dataset import IMAGES
from aitk_nb.models.job import DownloadReport, JobState
from aitk_nb.models.names import safe_file_name
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.effective import effective_of

_SHOWN = 6
"""Samples in a card."""


@dataclass(frozen=True, slots=True)
class HubPush:
    """What goes to a repository of the Hub, or has gone there.

    Example:
        >>> push = job.push_to_hub("me/cat")
        >>> sorted(push.files)
        ['README.md', 'cat.safetensors', 'cat.yaml']
        >>> push.url
        ''
    """

    repo: str
    """The repository, as `user/name`."""
    card: str = field(repr=False)
    """The model card: the repository's `README.md`."""
    files: Mapping[str, Path | None]
    """Where each file lies here, by its path in the repository; None for the card."""
    private: bool
    """Whether the repository is private, if this makes it."""
    url: str = ""
    """Where it lies now; empty for a dry run."""

    def __repr__(self) -> str:
        done = f"at {self.url}" if self.url else "not sent: a dry run"
        return f"<{len(self.files)} files for {self.repo}, {done}>"

    def _repr_html_(self) -> html.Html:
        rows = [
            (name, size(path.stat().st_size) if path else size(len(self.card.encode())))
            for name, path in self.files.items()
        ]
        said = f"Sent to {self.url}" if self.url else "A dry run: pass dry_run=False to send it."
        table = html.table(("file", "size"), rows, caption=f"For {self.repo}")
        return html.join([table, html.note(said), html.code(self.card)])


def prepared(repo: str, state: JobState, report: DownloadReport, *, private: bool) -> HubPush:
    """Return what would be sent of a download."""
    if len(parts := repo.split("/")) != 2 or not all(parts):
        raise BadInput(f"A repository of Hugging Face is user/name; got {repo!r}.")
    folder = Path(report.path).parent
    named = {path.relative_to(folder).as_posix(): path for path in map(Path, report.files)}
    names = {
        name: name.replace(f"{safe_file_name(state.name)}_samples/", "samples/") for name in named
    }
    files: dict[str, Path | None] = {"README.md": None}
    files |= {names[name]: path for name, path in named.items()}
    return HubPush(repo, _card(state, files, Path(report.path)), files, private)


def send(push: HubPush) -> HubPush:
    """Send everything in one commit, and return it with its `url`.

    Raises:
        MissingExtra: huggingface_hub is not installed.
        BadInput: Nobody is logged in.
        AitkError: The Hub refused it.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi, get_token
    except ImportError:
        raise MissingExtra("huggingface_hub", "pip install 'aitk-nb[hub]'") from None
    if not get_token():
        raise BadInput("Nobody is logged in to Hugging Face: run `hf auth login`, or set HF_TOKEN.")
    api = HfApi(library_name="aitk-nb")
    added = [
        CommitOperationAdd(name, str(path) if path else push.card.encode())
        for name, path in push.files.items()
    ]
    try:
        made = api.create_repo(push.repo, private=push.private, exist_ok=True)
        api.create_commit(made.repo_id, added, commit_message="Trained with AI Toolkit")
    except (OSError, ValueError) as exc:
        # What the Hub says may quote the request, and has several lines.
        status = getattr(getattr(exc, "response", None), "status_code", None)
        why = f"HTTP {status}" if status else type(exc).__name__
        hint = " Check that the token may write to it." if status in (401, 403, 404) else ""
        raise AitkError(f"Hugging Face did not take {push.repo}: {why}.{hint}") from None
    return replace(push, url=str(made))


def _card(state: JobState, files: Mapping[str, Path | None], lora: Path) -> str:
    """Return the model card, of what the job's config says and no more."""
    read = effective_of(state.config)
    base, arch = (value_at(read, f"model.{key}") for key in ("name_or_path", "arch"))
    trigger = read.get("trigger_word")
    front: dict[str, Any] = {"tags": ["ai-toolkit", "lora"]}
    # A path of the server is no repository.
    if isinstance(base, str) and base.count("/") == 1 and not base.startswith(("/", ".")):
        front = {"base_model": base, **front}
    else:
        base = ""
    if trigger:
        front["instance_prompt"] = str(trigger)
    prompts = [str(one.get("prompt", "")) for one in value_at(read, "sample.samples") or ()]
    pictures = [
        name
        for name in files
        if name.startswith("samples/") and PurePosixPath(name).suffix.lower() in IMAGES
    ][-_SHOWN:]
    keys = {
        "Steps": state.step,
        "Rank": value_at(read, "network.linear"),
        "Learning rate": value_at(read, "train.lr"),
        "Optimizer": value_at(read, "train.optimizer"),
        "Batch size": value_at(read, "train.batch_size"),
        "Architecture": arch,
        "SHA-256": sha256(lora),
    }
    return filled(
        __package__,
        "model_card.md.in",
        front=dumped(front),
        title=state.name,
        base=base,
        arch=arch,
        trigger=trigger,
        rows=keys.items(),
        samples=[(_prompt(name, prompts), name) for name in pictures],
    )


def _prompt(name: str, prompts: list[str]) -> str:
    index = PurePosixPath(name).stem.rpartition("_")[2]
    prompt = prompts[int(index)] if index.isdecimal() and int(index) < len(prompts) else ""
    return " ".join(prompt.replace("[", "(").replace("]", ")").split()) or "sample"
