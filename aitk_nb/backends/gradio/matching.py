"""Which function of an unknown Gradio app does what, judged by names, labels and types of values.

Pure data: it looks at endpoints and guesses, with reasons, and never fails. AI Toolkit's own app
is recognized as such; a fork or another trainer is matched as well as its words allow, and the
user corrects the rest (`discovery/operations_file.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aitk_nb.backends.gradio.vocabulary import WORDS, arguments_of, words_of
from aitk_nb.models.endpoint import Endpoint, Operation, Parameter

ENOUGH = 0.45
"""Confidence from which on a function is taken for an operation's."""

TELLING = frozenset({"steps", "learning_rate", "rank", "batch_size", "base_model", "trigger_word"})
"""Values that hardly any function has but one that trains."""

SPOILERS, _MAKE, _TAKE, _IMAGES = (
    frozenset(WORDS[kind]) for kind in ("spoilers", "make", "take", "images")
)


@dataclass(frozen=True, slots=True)
class Guess:
    """How well one function fits one operation."""

    endpoint: Endpoint
    confidence: float
    reasons: tuple[str, ...]

    def operation(self, name: str, calls: tuple[str, ...]) -> Operation:
        """Return the operation that calls this function."""
        return Operation(
            name, calls, self.endpoint.name, confidence=self.confidence, reasons=self.reasons
        )


def match(endpoints: Sequence[Endpoint]) -> dict[str, Operation]:
    """Return the four operations as far as these endpoints of a Gradio app can do them."""
    functions = [one for one in endpoints if one.index is not None or one.name.startswith("/")]
    known = _is_ai_toolkit(functions)
    train = _best(map(_training, functions))
    others = [function for function in functions if not train or function is not train.endpoint]
    creating = list(map(_creating, others))
    create = _best(creating)
    # AI Toolkit's own app has neither of these.
    status = None if known else _best(map(_status, others))
    download = None if known else _best(map(_downloading, others))
    found = (
        _create_operation(create, train, creating),
        _train_operation(train, create),
        _status_operation(status, train, known=known),
        _download_operation(download, train, known=known),
    )
    own = "this is AI Toolkit's own Gradio app"
    return {
        one.name: replace(one, confidence=1.0, reasons=(own, *one.reasons)) if known else one
        for one in found
    }


def product(functions: Sequence[Endpoint] | None) -> str:
    """Return what a Gradio app with these functions is; None if a login hides them."""
    if functions is None:
        return "a Gradio app; whether it is AI Toolkit's cannot be seen without a login"
    if _is_ai_toolkit(functions):
        return "AI Toolkit's Gradio app"
    train = _best(map(_training, functions))
    other = "a Gradio app that is not AI Toolkit's as far as can be told"
    return f"{other}, though {train.endpoint.name} seems to train" if train else other


# -- the four operations --------------------------------------------------------------------------


def _create_operation(
    create: Guess | None, train: Guess | None, guesses: Sequence[Guess]
) -> Operation:
    name = "create dataset"
    if create is None:
        reason = "no function takes files"
        if takers := [guess.endpoint.name for guess in guesses if _files(guess.endpoint)]:
            reason = f"none of the functions that take files is surely for it: {_listed(takers)}"
        if train and _files(train.endpoint):
            reason = "the training function itself takes the images"
        return Operation(name, reasons=(reason,))
    operation = create.operation(name, ("upload", create.endpoint.name))
    return replace(operation, arguments=_files_argument(create.endpoint))


def _train_operation(train: Guess | None, create: Guess | None) -> Operation:
    name = "start training"
    if train is None:
        return Operation(name, reasons=("no function takes steps, a learning rate and the like",))
    calls: tuple[str, ...] = (train.endpoint.name,)
    reasons = train.reasons
    if _files(train.endpoint):
        calls = ("upload", *calls)
    elif create and any(parameter.hidden for parameter in train.endpoint.parameters):
        calls = ("upload", create.endpoint.name, *calls)
        reasons += ("it requires the dataset created in the same session",)
    arguments = arguments_of(train.endpoint.parameters)
    return replace(train.operation(name, calls), arguments=arguments, reasons=reasons)


def _status_operation(status: Guess | None, train: Guess | None, *, known: bool) -> Operation:
    name = "job status"
    if status:
        return status.operation(name, (status.endpoint.name,))
    if train is None:
        return Operation(name, reasons=("there is no training function",))
    queue = Operation(
        name,
        ("queue_status", "queue_data"),
        confidence=0.3,
        reasons=("the queue only reports how many calls are waiting; no function reports more",),
    )
    if not known:
        return queue
    reasons = (
        "the queue only reports how many calls are waiting, not the one that is running",
        "step and loss are in the loss_log.db of a job that trains inside the upload folder",
    )
    return replace(queue, calls=(*queue.calls, "file"), reasons=reasons)


def _download_operation(download: Guess | None, train: Guess | None, *, known: bool) -> Operation:
    name = "download LoRA"
    if download:
        return download.operation(name, (download.endpoint.name, "file"))
    if train is None:
        return Operation(name, reasons=("there is no training function",))
    if "file" in train.endpoint.returns.lower():
        returning = Guess(train.endpoint, 0.6, ("the training function returns a file",))
        return returning.operation(name, (train.endpoint.name, "file"))
    where = "inside the upload folder" if known else "in a folder that the app may serve"
    reason = f"only files {where} can be fetched, and only by their path"
    return Operation(name, ("file",), confidence=0.3, reasons=(reason,))


# -- how well a function fits ---------------------------------------------------------------------

Part = tuple[float, object, str]
"""A score, what must be true for it, and the reason that is given then."""


def _training(function: Endpoint) -> Guess:
    words = words_of(function.name)
    values = set(arguments_of(function.parameters)) & TELLING
    named = words & {"train", "training", "finetune", "fit", "trainer", "tune"}
    parts = (
        (0.4, named, f"the name suggests training: {function.name}"),
        (0.1, named and words & {"start", "run", "launch", "begin", "do"}, ""),
        (min(0.5, 0.15 * len(values)), values, f"it takes {', '.join(sorted(values))}"),
        (0.1, words_of(function.does) & {"train", "training"}, "the page says so"),
    )
    return _guess(function, parts, needs=values)


def _creating(function: Endpoint) -> Guess:
    words, files = words_of(function.name), _files(function)
    said = words | words_of(function.does)
    named, images = _is_dataset(words), any(_words(one) & _IMAGES for one in files)
    parts = (
        (0.4, named, f"the name suggests a dataset: {function.name}"),
        (0.3, not named and _is_dataset(said), "the page says so"),
        (0.2, words & _MAKE, ""),
        (0.1, not words & _MAKE and said & (_MAKE | _TAKE), ""),
        (0.3, files, f"it takes files: {', '.join(one.name for one in files[:1])}"),
        (0.1, images, "images, by its label or its file types"),
        (0.1, files and len(_captions(function)) > 1, "and captions for them"),
        (-0.3, words & {"caption", "captions", "captioning", "tag"}, ""),
    )
    return _guess(function, parts, needs=files)


def _status(function: Endpoint) -> Guess:
    words = words_of(function.name) & {
        *("status", "progress", "state", "poll", "monitor", "log", "logs")
    }
    returns = function.returns.lower()
    tells = any(word in returns for word in ("string", "number", "object", "json"))
    parts = (
        (0.5, words, f"the name suggests progress: {function.name}"),
        (0.1, len(function.sent) <= 2, ""),
        (0.1, tells, f"it returns {function.returns}"),
    )
    return _guess(function, parts, needs=tells)


def _downloading(function: Endpoint) -> Guess:
    words, gives = words_of(function.name), "file" in function.returns.lower()
    named = words & {"download", "export", "fetch"}
    parts = (
        (0.4, named, f"the name suggests a download: {function.name}"),
        (0.1, words & {"lora", "weights", "checkpoint", "model", "result", "file"}, ""),
        (0.3, gives, "it returns a file"),
    )
    return _guess(function, parts, needs=gives)


def _guess(function: Endpoint, parts: Iterable[Part], *, needs: object) -> Guess:
    spoiling = sorted(words_of(function.name) & SPOILERS)
    true = [
        part
        for part in (
            *parts,
            (-0.5, spoiling, f"but the name contains {', '.join(spoiling)}"),
            # Gradio numbers the second handler of one function.
            (-0.05, function.name.rpartition("_")[2].isdigit(), ""),
        )
        if part[1]
    ]
    score = sum(part[0] for part in true)
    bounded = max(0.0, min(0.95, score if needs else min(score, ENOUGH - 0.01)))
    return Guess(function, round(bounded, 2), tuple(reason for *_, reason in true if reason))


def _best(guesses: Iterable[Guess]) -> Guess | None:
    ranked = sorted(guesses, key=lambda guess: -guess.confidence)
    sure = [guess for guess in ranked if guess.confidence >= ENOUGH]
    if len(sure) > 1:
        others = _listed([guess.endpoint.name for guess in sure[1:]])
        return replace(sure[0], reasons=(*sure[0].reasons, f"it may also be {others}"))
    return sure[0] if sure else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _is_dataset(words: set[str]) -> bool:
    return "dataset" in words or {"data", "set"} <= words


def _words(parameter: Parameter) -> set[str]:
    return words_of(f"{parameter.name} {parameter.about}")


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


def _files(function: Endpoint) -> list[Parameter]:
    return [parameter for parameter in function.sent if "file" in parameter.type]


def _captions(function: Endpoint) -> list[Parameter]:
    texts = [parameter for parameter in function.sent if parameter.type == "string"]
    return [one for one in texts if "caption" in _words(one)]


def _files_argument(function: Endpoint) -> dict[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {"files": _files(function)[0].name}
    if captions := _captions(function):
        found["captions"] = tuple(parameter.name for parameter in captions)
    return found
