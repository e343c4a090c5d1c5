"""`JsonReport`: a frozen value with a JSON form and the JSON schema of that form."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class JsonReport:
    """A frozen dataclass that gives its fields as JSON; pydantic derives the schema from them."""

    __slots__ = ()
    # So that the schema describes each field in the words of its docstring.
    __pydantic_config__: ClassVar = {"use_attribute_docstrings": True}

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-compatible values; no secret is ever in it."""
        document: dict[str, Any] = self._adapter().dump_python(self, mode="json")
        return document

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema (draft 2020-12) of `as_dict()` and of `--json`."""
        return cls._adapter().json_schema(mode="serialization")

    @classmethod
    @cache
    def _adapter(cls) -> TypeAdapter[Any]:
        # Late, as importing pydantic takes longer than most commands.
        from pydantic import TypeAdapter

        return TypeAdapter(cls)
