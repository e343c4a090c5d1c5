"""Which function of an unknown Gradio app does what: told by names, labels and types of values.

Pure data: it looks at endpoints and guesses, with reasons, and never fails. AI Toolkit's own app
is recognised as such; a fork or another trainer is matched as well as its words allow, and the
user corrects the rest (`operations.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aitk_nb.backends.gradio.vocabulary import arguments_of, words_of
from aitk_nb.models.endpoint import Endpoint, Operation, Parameter

__all__ = ["match"]

ENOUGH = 0.45
"""Confidence from which on a function is taken for an operation's."""

TELLING = frozenset({"steps", "learning_rate", "rank", "batch_size", "base_model", "trigger_word"})
"""Values that hardly any function has but one that trains."""

SPOILERS = frozenset(
    ("hide", "show", "toggle", "clear", "reset", "cancel", "stop", "abort", "delete", "remove",
     "refresh", "preview", "example", "examples", "login", "logout", "theme", "update", "swap")
)  # fmt: skip
"""Words in a name that tell of a button beside the thing itself."""


@dataclass(frozen=True, slots=True)
class Guess:
    """How well one function fits one operation."""

    endpoint: Endpoint
    confidence: float
    reasons: tuple[str, ...]


def match(endpoints: Sequence[Endpoint]) -> dict[str, Operation]:
    """Return the four operations as far as these endpoints of a Gradio app can do them."""
    functions = [
        endpoint for endpoint in endpoints if endpoint.index is not None or _is_named(endpoint)
    ]
    known = _is_ai_toolkit(functions)
    train = _best([_training(function) for function in functions])
    others = [function for function in functions if not train or function is not train.endpoint]
    create = _best([_creating(function) for function in others])
    status = _best([_status(function) for function in others])
    download = _best([_downloading(function) for function in others])
    if known:
        status = download = None
    found = (
        _create_operation(create, train),
        _train_operation(train, create),
        _status_operation(status, train, known=known),
        _download_operation(download, train, known=known),
    )
    return {operation.name: _sure(operation) if known else operation for operation in found}


# -- the four operations --------------------------------------------------------------------------


def _create_operation(create: Guess | None, train: Guess | None) -> Operation:
    name = "create dataset"
    if create is None:
        if train and _files(train.endpoint):
            reason = "the images are given to the training function itself"
            return Operation(name, reasons=(reason,))
        return Operation(name, reasons=("no function takes a list of files for it",))
    return Operation(
        name,
        calls=("upload", create.endpoint.name),
        api_name=create.endpoint.name,
        arguments=_files_argument(create.endpoint),
        confidence=create.confidence,
        reasons=create.reasons,
    )


def _train_operation(train: Guess | None, create: Guess | None) -> Operation:
    name = "start training"
    if train is None:
        return Operation(name, reasons=("no function takes steps, a learning rate and the like",))
    calls: tuple[str, ...] = (train.endpoint.name,)
    reasons = train.reasons
    if _files(train.endpoint):
        calls = ("upload", *calls)
    elif create and _keeps_state(train.endpoint):
        calls = ("upload", create.endpoint.name, *calls)
        reasons += ("it needs the dataset that was made in the same session",)
    return Operation(
        name,
        calls=calls,
        api_name=train.endpoint.name,
        arguments=arguments_of(train.endpoint.parameters),
        confidence=train.confidence,
        reasons=reasons,
    )


def _status_operation(status: Guess | None, train: Guess | None, *, known: bool) -> Operation:
    name = "job status"
    if status:
        return Operation(
            name,
            (status.endpoint.name,),
            status.endpoint.name,
            {},
            status.confidence,
            status.reasons,
        )
    if train is None:
        return Operation(name, reasons=("there is no training function",))
    if known:
        reasons = (
            "the queue tells how many calls wait, and nothing of the one that runs",
            "step and loss are in loss_log.db of a job that was told to train below the folder "
            "of uploads",
        )
        return Operation(name, ("queue_status", "queue_data", "file"), reasons=reasons)
    reason = "the queue tells how many calls wait; no function tells more"
    return Operation(name, ("queue_status", "queue_data"), confidence=0.3, reasons=(reason,))


def _download_operation(download: Guess | None, train: Guess | None, *, known: bool) -> Operation:
    name = "download LoRA"
    if download:
        endpoint = download.endpoint
        return Operation(
            name, (endpoint.name, "file"), endpoint.name, {}, download.confidence, download.reasons
        )
    if train is None:
        return Operation(name, reasons=("there is no training function",))
    if "file" in train.endpoint.returns.lower():
        reason = "the training function gives a file back"
        return Operation(
            name, (train.endpoint.name, "file"), train.endpoint.name, {}, 0.6, (reason,)
        )
    where = "below the folder of uploads" if known else "in a folder that the app may show"
    reason = f"only a file {where} can be fetched, and its path has to be known"
    return Operation(name, ("file",), confidence=0.3, reasons=(reason,))


def _sure(operation: Operation) -> Operation:
    reasons = ("this is AI Toolkit's own Gradio app", *operation.reasons)
    return Operation(
        operation.name, operation.calls, operation.api_name, operation.arguments, 1.0, reasons
    )


# -- how well a function fits ---------------------------------------------------------------------


def _training(function: Endpoint) -> Guess:
    words = words_of(function.name)
    values = set(arguments_of(function.parameters)) & TELLING
    score = 0.0
    reasons = []
    if words & {"train", "training", "finetune", "fit", "trainer", "tune"}:
        score += 0.4
        reasons.append(f"its name speaks of training: {function.name}")
        if words & {"start", "run", "launch", "begin", "do"}:
            score += 0.1
    if values:
        score += min(0.5, 0.15 * len(values))
        reasons.append(f"it takes {', '.join(sorted(values))}")
    if words_of(function.does) & {"train", "training"}:
        score += 0.1
        reasons.append("the page says so")
    return _guess(function, score, reasons, words, needs=bool(values))


def _creating(function: Endpoint) -> Guess:
    words = words_of(function.name)
    score = 0.0
    reasons = []
    if "dataset" in words or {"data", "set"} <= words:
        score += 0.4
        reasons.append(f"its name speaks of a dataset: {function.name}")
    if words & {"create", "make", "build", "prepare", "upload", "add", "new"}:
        score += 0.2
    if files := _files(function):
        score += 0.3
        reasons.append(f"it takes files: {files[0].name}")
        if len(_captions(function)) > 1:
            score += 0.1
            reasons.append("and captions beside them")
    if words & {"caption", "captions", "captioning", "tag"}:
        score -= 0.3
    return _guess(function, score, reasons, words, needs=bool(files))


def _status(function: Endpoint) -> Guess:
    words = words_of(function.name)
    score = 0.0
    reasons = []
    if words & {"status", "progress", "state", "poll", "monitor", "log", "logs"}:
        score += 0.5
        reasons.append(f"its name speaks of progress: {function.name}")
    if len(function.sent) <= 2:
        score += 0.1
    tells = any(word in function.returns.lower() for word in ("string", "number", "object", "json"))
    if tells:
        score += 0.1
        reasons.append(f"it gives back {function.returns}")
    return _guess(function, score, reasons, words, needs=tells)


def _downloading(function: Endpoint) -> Guess:
    words = words_of(function.name)
    score = 0.0
    reasons = []
    if words & {"download", "export", "fetch"}:
        score += 0.4
        reasons.append(f"its name speaks of a download: {function.name}")
    if words & {"lora", "weights", "checkpoint", "model", "result", "file"}:
        score += 0.1
    gives = "file" in function.returns.lower()
    if gives:
        score += 0.3
        reasons.append("it gives back a file")
    return _guess(function, score, reasons, words, needs=gives)


def _guess(
    function: Endpoint, score: float, reasons: list[str], words: set[str], *, needs: bool
) -> Guess:
    if spoiling := words & SPOILERS:
        score -= 0.5
        reasons.append(f"though its name says {', '.join(sorted(spoiling))}")
    if function.name.rpartition("_")[2].isdigit():
        # Gradio numbers the second handler of one function.
        score -= 0.05
    bounded = max(0.0, min(0.95, score if needs else min(score, ENOUGH - 0.01)))
    return Guess(function, round(bounded, 2), tuple(reasons))


def _best(guesses: list[Guess]) -> Guess | None:
    guesses.sort(key=lambda guess: -guess.confidence)
    return guesses[0] if guesses and guesses[0].confidence >= ENOUGH else None


def _is_ai_toolkit(functions: Sequence[Endpoint]) -> bool:
    """True for AI Toolkit's own app, whatever its parameters are called where `info` is missing."""
    by_name = {function.name: function for function in functions}
    create, train = by_name.get("/create_dataset"), by_name.get("/start_training")
    if create is None or train is None:
        return False
    named = {"lora_name", "concept_sentence", "steps", "lr", "rank", "model_to_train"}
    unnamed = len(train.parameters) == 13 and train.known_by == "config"
    names = {parameter.name for parameter in train.parameters}
    return bool(_files(create)) and len(_captions(create)) == 150 and (named <= names or unnamed)


def _is_named(endpoint: Endpoint) -> bool:
    return endpoint.name.startswith("/")


def _files(function: Endpoint) -> list[Parameter]:
    return [parameter for parameter in function.sent if "file" in parameter.type]


def _captions(function: Endpoint) -> list[Parameter]:
    return [
        parameter
        for parameter in function.sent
        if parameter.type == "string"
        and "caption" in words_of(f"{parameter.name} {parameter.about}")
    ]


def _files_argument(function: Endpoint) -> dict[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {"files": _files(function)[0].name}
    if captions := _captions(function):
        found["captions"] = tuple(parameter.name for parameter in captions)
    return found


def _keeps_state(function: Endpoint) -> bool:
    return any(parameter.hidden for parameter in function.parameters)
