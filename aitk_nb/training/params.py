"""`TrainingParams`: the training parameters with what notebooks do with them."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from aitk_nb._display import html
from aitk_nb.training import config_files
from aitk_nb.training.advice import advice
from aitk_nb.training.config_paths import MISSING, value_at
from aitk_nb.training.effective import effective_of
from aitk_nb.training.extra import merged
from aitk_nb.training.fields import PATHS, Fields
from aitk_nb.training.job_config import draft


class TrainingParams(Fields):
    """The parameters of a training job, with the same names in notebooks and on the command line.

    A field that is not given has the value that AI Toolkit's web UI sets for the architecture, and
    where it sets none, that of its form for a new job.

    Raises:
        InvalidParams: A field is invalid; `problems` has an entry for each.

    Example:
        >>> params = aitk_nb.TrainingParams(name="cat", dataset="cats", steps=500)
        >>> params.steps, params.rank
        (500, 32)
    """

    @classmethod
    def from_names(cls, names: Mapping[str, object], **fields: object) -> Self:
        """Return the parameters whose values are in `names` under the fields' own names.

        A notebook's parameters cell has a variable for each field, so its `globals()` is such a
        mapping. Anything else in it is ignored.

        Args:
            names: The variables of a notebook, or any other mapping.
            **fields: Values that take precedence over those in `names`.

        Returns:
            The parameters, checked.

        Raises:
            InvalidParams: A value is invalid, or a required field is missing.

        Example:
            >>> cell = {"name": "cat", "dataset": "cats", "steps": 900, "other": 1}
            >>> aitk_nb.TrainingParams.from_names(cell).steps
            900
        """
        found = {name: names[name] for name in cls.model_fields if name in names}
        return cls.model_validate(found | fields)

    @classmethod
    def from_file(cls, path: str | Path, **fields: object) -> Self:
        """Return the parameters of an AI Toolkit job file, YAML or JSON.

        What has no field of its own is kept in `extra`, so that `to_file` writes the same again.
        The last part of a dataset's folder is the dataset's name on the server.

        Args:
            path: The job file.
            **fields: Values that take precedence over those of the file.

        Returns:
            The parameters, checked.

        Raises:
            BadInput: The file can't be read, or is not a training job.
        """
        return cls.from_config(config_files.read(path), **fields)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], **fields: object) -> Self:
        """Return the parameters of a job config, such as that of a job on the server.

        Args:
            config: The job config of AI Toolkit.
            **fields: Values that take precedence over those of the config.

        Returns:
            The parameters, checked.

        Raises:
            InvalidParams: It is not a training job, or a value is invalid.
        """
        found = config_files.from_config(config, fields)
        if isinstance(change := fields.get("extra"), str):
            with suppress(ValueError):  # which the field itself tells in better words
                fields["extra"] = merged(found.extra, change)
        return cls.model_validate({**found.model_dump(), **fields})

    def to_file(self, path: str | Path) -> Path:
        """Write an AI Toolkit job file: JSON if `path` ends in `.json`, otherwise YAML.

        Returns:
            The path of the file.

        Raises:
            BadInput: The file can't be written.
        """
        return config_files.write(self, path)

    def _repr_html_(self) -> str:
        read = effective_of(draft(self).config)
        taken = {name: value_at(read, path) for name, path in PATHS.items()}
        values = [
            (name, _shown(taken.get(name, getattr(self, name)))) for name in type(self).model_fields
        ]
        return html.definition(values, caption="Training parameters")

    @property
    def advice(self) -> Mapping[str, str]:
        """Remarks by field on values that are valid but rarely intended, e.g. alpha over rank."""
        found: dict[str, list[str]] = {}
        for remark in advice(self):
            found.setdefault(remark.field, []).append(remark.text)
        return {field: "; ".join(texts) for field, texts in found.items()}


def diff(a: TrainingParams, b: TrainingParams) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two parameters differ, with both values.

    Example:
        >>> from aitk_nb.training.params import diff
        >>> one = aitk_nb.TrainingParams(name="cat", dataset="cats")
        >>> diff(one, one.model_copy(update={"steps": 5}))
        {'steps': (3000, 5)}
    """
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in TrainingParams.model_fields}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _shown(value: object) -> str:
    if value is None or value is MISSING:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
