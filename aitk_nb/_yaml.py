"""YAML read and written as data only: no objects, no dates, and nothing that explodes."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

LARGEST = 1_000_000
"""Characters of a text that is still read; AI Toolkit's own files have under 10 000."""

MOST = 100_000
"""Values that a text may stand for once its aliases are written out."""


class _Loader(yaml.SafeLoader):
    """Reads `1e-4` as a number, as YAML 1.2 does; YAML 1.1 makes a text of it."""

    def flatten_mapping(self, node: Any) -> None:
        """Merge what `<<` keys name: the first of several mappings wins, and each key comes once.

        PyYAML before 6.0.4 repeats the keys, which grow with each level, and 6.0.4 lets the last
        mapping win (`SafeConstructor.flatten_mapping` in yaml/constructor.py).
        """
        pairs, node.value = node.value, []
        merged: dict[object, Any] = {}
        own = []
        for key, value in pairs:
            if key.tag != "tag:yaml.org,2002:merge":
                own.append((key, value))
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    raise yaml.constructor.ConstructorError(problem="'<<' requires mappings")
                self.flatten_mapping(source)
                for pair in source.value:
                    name = pair[0].value if isinstance(pair[0], yaml.ScalarNode) else id(pair[0])
                    merged.setdefault((pair[0].tag, name), pair)
        node.value = [*merged.values(), *own]
        super().flatten_mapping(node)


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that the loader would take for numbers, and writes no aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything out."""
        return True


# A date would come out as an object that no JSON can hold.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )

# What we wrote ourselves is read by the C library, several times as fast, which would not survive
# a foreign text that is nested too deeply.
_OURS: Any = type(
    "_Ours",
    (getattr(yaml, "CSafeLoader", yaml.SafeLoader),),
    {"yaml_implicit_resolvers": _Loader.yaml_implicit_resolvers},
)


def parsed(text: str) -> Any:
    """Return what a YAML or JSON text says, as JSON would hold it.

    Raises:
        ValueError: it is neither, too large, or holds what JSON cannot.
    """
    if len(text) > LARGEST:
        raise ValueError("too large")
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
        if _count(value, {}) > MOST:
            raise ValueError("too large once its aliases are expanded")
    except yaml.YAMLError as exc:
        raise ValueError(f"invalid YAML: {' '.join(str(exc).split())}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError):
        # An explicit tag on a text that does not fit it, such as `!!int ""`.
        raise ValueError("invalid YAML: a value does not fit its tag") from None
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            "contains what JSON cannot hold: NaN, infinity, bytes, a set, or a loop"
        ) from None


@cache
def facts(package: str, name: str) -> Any:
    """Return what the file `name`.yaml in a package of ours says; not to be changed."""
    text = files(package).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_OURS)  # noqa: S506  (a SafeLoader)


def _count(value: object, seen: dict[int, int]) -> int:
    """Return how many values there are with aliases written out, without writing them out."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in seen:
        # A loop ends here; the JSON refuses it.
        seen[id(value)] = 0
        items = value.values() if isinstance(value, dict) else value
        seen[id(value)] = 1 + sum(_count(item, seen) for item in items)
    return seen[id(value)]


def dumped(value: Any) -> str:
    """Return a YAML text that `parsed` reads as `value`."""
    readable = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**16)
    if _UNWRITABLE.search(readable):
        return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=2**16)
    return readable


# Rare line breaks, which YAML folds, and halves of surrogate pairs, which no file can hold.
_UNWRITABLE = re.compile("[\x85\u2028\u2029\ufeff\ud800-\udfff]")
