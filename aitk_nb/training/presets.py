"""The architectures that AI Toolkit's web UI offers, and what it sets for each.

Ours are those of one version; a server that lists its own (0.13.16 and newer) is believed.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from aitk_nb._yaml import facts, parsed
from aitk_nb.errors import BadInput
from aitk_nb.models.control_images import CONTROL_KEYS
from aitk_nb.training.validation import did_you_mean, problems

VERSION = "0.13.22"
"""The version of AI Toolkit that our presets are of."""

DEFAULT_ARCH = "flex1"
"""The architecture that the web UI's form for a new job begins with."""

FACTS: Mapping[str, Any] = facts("aitk_nb.training", "trainer_facts")
"""What the trainer knows of architectures, keys and values."""

OTHERS = frozenset(FACTS["not_offered"])
"""Architectures that the trainer of AI Toolkit 0.12.26 has, and the web UI does not offer."""

MOST_CONTROLS = 3
"""Datasets of control images that the trainer takes for one dataset."""

_SECTIONS = ("datasets[x]", "logging", "model", "network", "sample", "save", "train")


def _checked_path(path: str) -> str:
    section, _, leaf = path.partition(".")
    if section not in _SECTIONS or not all(leaf.split(".")):
        raise ValueError(f"{path!r} is not a path such as train.lr or datasets[x].fps")
    return path


@dataclass(frozen=True, slots=True)
class Preset:
    """The changes that choosing a model in the web UI makes to the default job config."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    arch: str
    label: str
    """The web UI's name for it."""
    group: str
    """`image`, `instruction`, `video`, `audio`, `llm` or `experimental`."""
    defaults: Mapping[Annotated[str, AfterValidator(_checked_path)], Any]
    """Value by path below the job's process, such as `model.name_or_path`; None leaves it out."""
    needs: tuple[str, ...] = ()
    """Parts of the job config that the web UI's form shows for it alone."""
    controls: tuple[str, ...] = ()
    """Kinds of control images that the trainer draws itself, such as `depth`."""
    offloads: bool = False
    """True when the web UI offers to keep layers off the GPU."""
    gate_url: str = ""
    """Where access to its weights has to be asked for."""
    video: bool = False
    """True when it trains on moving pictures."""
    since: str = ""
    """The first version of AI Toolkit that is known to have it; empty if 0.12.26 has it."""

    @property
    def control_keys(self) -> tuple[str, ...]:
        """Keys of a dataset that name its folders of control images; empty where it takes none."""
        if "datasets.multi_control_paths" in self.needs:
            return CONTROL_KEYS[1:]
        return CONTROL_KEYS[:1] if "datasets.control_path" in self.needs else ()

    @property
    def needs_controls(self) -> bool:
        """True when it cannot be trained without control images.

        FLUX.2 and OmniGen2 take them, and train on plain images too.
        """
        edits = self.group == "instruction" or "edit" in self.arch or "ref2" in self.arch
        return bool(self.control_keys) and edits


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """The presets of one server: ours, with what it lists itself in their place."""

    presets: Mapping[str, Preset]
    names: frozenset[str] = field(default=frozenset())
    """The architectures that it lists; empty if it lists none."""


_LISTING: ContextVar[Listing | None] = ContextVar("listing", default=None)
_at_hand: list[Listing] = []


def use(entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Use what a server lists for all that does not name its server, from now on."""
    _at_hand[:] = [_listing(entries)]


@contextmanager
def using(entries: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Use what a server lists inside of the block."""
    token = _LISTING.set(_listing(entries))
    try:
        yield
    finally:
        _LISTING.reset(token)


def listing() -> Listing:
    """Return the presets of the server at hand; ours if there is none."""
    return _LISTING.get() or (_at_hand or [_unlisted()])[0]


def load(environ: Mapping[str, str] = os.environ) -> Mapping[str, Preset]:
    """Return the presets by architecture: the server's, and those of the file in AITK_PRESETS.

    That file looks like ours: an entry of a new name is one more architecture, and an entry of a
    known name changes what it names and keeps the rest.

    Raises:
        BadInput: the file cannot be read, or holds something else.
    """
    own = environ.get("AITK_PRESETS", "")
    if not own:
        return listing().presets
    path = Path(own).expanduser()
    try:
        return _with_own(path, path.stat().st_mtime_ns, listing())
    except OSError as exc:
        raise BadInput(f"Can't read {own}, set by AITK_PRESETS: {exc.strerror}.") from exc


def control_keys(arch: str, count: int) -> tuple[str, ...]:
    """Return the keys that name `count` folders of control images, or as many as there can be.

    The trainer takes both forms; for an architecture without a preset the simpler one is used.
    """
    if preset := load().get(arch):
        return preset.control_keys[:count]
    return CONTROL_KEYS[:1] if count == 1 else CONTROL_KEYS[1 : count + 1]


def arch_problem(arch: object, base_model: object) -> str | None:
    """Return why an architecture is refused; a newer server may know more than we do."""
    known = load()
    if not isinstance(arch, str) or arch in known or arch.partition(":")[0] in OTHERS or base_model:
        return None
    hint = did_you_mean(arch, known, cutoff=0.7)
    return f"unknown architecture {arch!r}{hint or ' requires base_model'}"


def arch_remark(arch: str) -> str | None:
    """Return what is known of a server or a trainer that may lack an architecture."""
    bases = {name.partition(":")[0] for name in listing().names}
    base, preset = arch.partition(":")[0], load().get(arch)
    if base in OTHERS | bases or (preset and not preset.since and not bases):
        return None
    hint = "" if preset else did_you_mean(arch, load(), cutoff=0.7)
    if bases:
        return f"the server does not list {arch!r}{hint}; {_AS_SD1}"
    if preset:
        return f"{arch!r} requires AI Toolkit {preset.since} or newer; {_AS_SD1}"
    return f"AI Toolkit {VERSION} does not list {arch!r}{hint}; {_AS_SD1}"


_AS_SD1 = "a trainer that does not know it takes the model as sd1"


def controls_problem(arch: str, names: Sequence[str]) -> str | None:
    """Return why an architecture cannot take so many datasets of control images."""
    most = len(control_keys(arch, MOST_CONTROLS))
    if len(names) <= most:
        return None
    if not most:
        return f"{arch!r} takes no control images, so {', '.join(names)} would be ignored"
    plural = "s" if most > 1 else ""
    return f"{arch!r} takes control images from {most} dataset{plural}, not from {len(names)}"


_PRESET: TypeAdapter[Preset] = TypeAdapter(Preset)


@cache
def _unlisted() -> Listing:
    return Listing(packaged())


def _listing(entries: Mapping[str, Mapping[str, Any]]) -> Listing:
    if not entries:
        return _unlisted()
    ours = packaged()
    found = {arch: _served(arch, ours.get(arch), entry) for arch, entry in entries.items()}
    return Listing({**ours, **found}, frozenset(entries))


def _served(arch: str, have: Preset | None, entry: Mapping[str, Any]) -> Preset:
    """Return the preset of a server's entry; what was not read of it is as in ours."""
    ours = have or Preset(arch, arch, "other", {})
    kept = {
        path: value
        for path, value in ours.defaults.items()
        if any(not one or f"{path}.".startswith(f"{one}.") for one in entry["unread"])
    }
    # A deep copy would take half of the time that it takes to connect.
    changes = {name: getattr(ours, name) for name in Preset.__slots__}
    changes |= {key: part for key, part in entry.items() if key != "unread"}
    given = entry.get("defaults", {}).items()
    changes["defaults"] = kept | {path: value for path, value in given if _is_path(path)}
    try:
        return _PRESET.validate_python(changes)
    except ValidationError:
        return ours


def _is_path(path: str) -> bool:
    try:
        return bool(_checked_path(path))
    except ValueError:
        return False


@cache
def packaged() -> Mapping[str, Preset]:
    """Return our own presets."""
    entries = facts("aitk_nb.training", "presets")
    lists = ("needs", "controls")
    return {
        arch: Preset(arch, **entry | {key: tuple(entry.get(key, ())) for key in lists})
        for arch, entry in entries.items()
    }


@lru_cache(maxsize=4)
def _with_own(path: Path, _changed: int, listed: Listing) -> Mapping[str, Preset]:
    try:
        entries = parsed(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadInput(f"Invalid presets in {path}: {exc}.") from None
    if not isinstance(entries, dict):
        raise BadInput(f"Invalid presets in {path}: expected a mapping by architecture.")
    found = dict(listed.presets)
    for arch, entry in entries.items():
        try:
            found[arch] = _changed_preset(arch, found.get(arch), entry)
        except ValidationError as exc:
            wrong = problems(exc, Preset.__dataclass_fields__).items()
            why = "; ".join(": ".join(filter(None, item)) for item in wrong)
            raise BadInput(f"Invalid presets in {path}: {arch}: {why}.") from None
    return found


def _changed_preset(arch: str, have: Preset | None, entry: Any) -> Preset:
    """Return a preset with what the entry of a user's file says."""
    fields: dict[str, Any] = (
        asdict(have) if have else {"label": arch, "group": "own", "defaults": {}}
    )
    changes = TypeAdapter(dict[str, Any]).validate_python(entry)
    if isinstance(defaults := changes.get("defaults", {}), dict):
        changes["defaults"] = fields["defaults"] | defaults
    return _PRESET.validate_python({**fields, **changes, "arch": arch})
