"""The cases themselves: enough of them, about every route, and each of them able to fail."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.cases import Case, CaseError, Step, fill, load, parse, routes
from tests.contract.matching import differences, equal
from tests.contract.replies import judge
from tests.contract.wire import Reply
from tests.loops import for_each

CASES = load()

ROUTES = [
    "GET /api/auth",
    "GET /api/jobs",
    "POST /api/jobs",
    *(
        f"GET /api/jobs/*/{name}"
        for name in (
            "start", "stop", "mark_stopped", "delete", "save_now", "sample_now",
            "files", "samples", "log", "loss", "plugin", "kill", "notes",
        )
    ),
    "POST /api/jobs/*/notes",
    "GET /api/model_archs",
    "GET /api/queue",
    "GET /api/queue/*/start",
    "GET /api/queue/*/stop",
    "GET /api/datasets/list",
    "POST /api/datasets/create",
    "POST /api/datasets/delete",
    "POST /api/datasets/listImages",
    "POST /api/datasets/upload",
    "POST /api/img/caption",
    "POST /api/caption/get",
    "POST /api/caption/getBatch",
    "POST /api/img/delete",
    "POST /api/img/upload",
    "GET /api/img/*",
    "HEAD /api/img/*",
    "GET /api/audio/art/*",
    "GET /api/files/*",
    "HEAD /api/files/*",
    "POST /api/files/delete",
    "GET /api/loras",
    "POST /api/loras/upload",
    "GET /api/settings",
    "POST /api/settings",
    "GET /api/gpu",
    "GET /api/cpu",
    "GET /api/monitor",
    "POST /api/zip",
    "POST /api/scripts",
    "GET /api/ostris_cloud",
    "GET /proxy-8866/x",
    "GET /",
]  # fmt: skip
"""Every route of the contract; `*` stands for an id, a queue or a path."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ab|<", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    """At least 120, and no name twice."""
    names = [case.name for case in CASES]
    assert len(names) >= 120
    assert sorted(set(names)) == sorted(names)


def test_every_route_is_in_a_case_that_expects_it_to_work() -> None:
    """Routes of the contract and routes of the cases agree."""
    seen = {re.sub(r"\*.*/", "*/", f"{method} {path}") for method, path in routes(CASES)}
    seen |= {re.sub(r"(/api/(files|img|audio/art))/\*.*", r"\1/*", route) for route in seen}
    assert [route for route in ROUTES if route not in seen] == []


def test_every_error_form_of_the_contract_is_in_a_case() -> None:
    """JSON errors, plain text, empty bodies, HTML; and each status that the contract names."""
    expects = [step.expect for case in CASES for step in case.steps]
    statuses = {expect["status"] for expect in expects if isinstance(expect["status"], int)}
    assert statuses >= {200, 204, 206, 304, 308, 400, 401, 403, 404, 405, 409, 416, 499, 500}
    assert any("html" in expect and expect["status"] == 404 for expect in expects)
    assert any("empty" in expect and expect["status"] == 500 for expect in expects)
    assert any("truncated" in expect for expect in expects)


@for_each("case", CASES, lambda case: case.name)
def test_every_case_can_fail(case: Case) -> None:
    """No expectation is content with an answer that nobody gives."""
    nonsense = Reply(299, {"x": "y"}, b'{"unexpected": [1, 2, 3]}', truncated=True)
    for step in case.steps:
        for expect in filter(None, (step.expect, step.expect_embedded)):
            assert judge(nonsense, expect)
            for key in expect.keys() - {"status", "truncated"}:
                reply = Reply(_status(expect), {"x": "y"}, b'{"unexpected": [1, 2, 3]}')
                assert judge(reply, {"status": expect["status"], key: _pinned(expect[key])}), key


def _status(expect: dict[str, Any]) -> int:
    status: int | list[int] = expect["status"]
    return status[0] if isinstance(status, list) else status


def _pinned(value: Any) -> Any:
    """A header that must be absent is absent from nonsense too: ask for it instead."""
    if isinstance(value, dict) and value and all(item is None for item in value.values()):
        return dict.fromkeys(value, "<string>")
    return value


@given(JSON)
def test_a_value_has_its_own_shape(value: Any) -> None:
    """JSON without patterns matches itself, and itself only."""
    assert equal(value, value)
    if "<" not in repr(value):
        assert differences(value, value) == []


@given(JSON, JSON)
def test_different_values_differ_both_ways(one: Any, two: Any) -> None:
    """Equality is symmetric, and agrees with the shape matcher where there are no patterns."""
    assert equal(one, two) == equal(two, one)
    if "<" not in repr(one):
        assert equal(one, two) == (differences(one, two) == [])


@for_each(
    "pattern",
    [
        ("<int>", 3, True),
        ("<int>", 0, 1.5),
        ("<number>", 1.5, "1.5"),
        ("<number|null>", None, False),
        ("<bool>", False, 0),
        ("<uuid>", "123e4567-e89b-42d3-a456-426614174000", "123e4567"),
        ("<iso>", "2026-01-31T12:00:00.000Z", "2026-01-31 12:00:00"),
        ("~a.c", "abc", "abcd"),
        ({"a": "<int>"}, {"a": 1}, {"a": 1, "b": 2}),
        ({"a": "<int>", "...": True}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a?": "<int>"}, {}, {"a": "x"}),
        ({"$each": "<int>"}, [1, 2], [1, "2"]),
        ({"$each": "<int>"}, [], {}),
        ({"$size": 2}, [1, 2], [1]),
        ({"$min": 1, "$max": 2}, [1], [1, 2, 3]),
        ({"$has": [{"a": 1, "...": True}]}, [{"a": 1, "b": 2}], [{"a": 2}]),
        ({"$lacks": [1]}, [2, 3], [1, 2]),
        ({"$any": ["<int>", "x"]}, "x", "y"),
        ({"$all": ["<int>", 3]}, 3, 4),
        ({"$json": {"a": 1}}, '{"a": 1}', '{"a": 2}'),
        ({"$json": {"a": 1}}, '{"a":1}', "not json"),
        ({"$starts": "ab", "$ends": "yz"}, "ab xyz", "ab xy"),
        ({"$contains": "b"}, "abc", "ac"),
        ({"$len": 2}, "ab", ["a", "b"]),
        ({"$multiple": 50}, 150, 151),
        (True, True, 1),
        (1, 1.0, True),
        (None, None, ""),
        ([1, "<any>"], [1, None], [1]),
    ],
)
def test_a_pattern_takes_the_right_and_refuses_the_wrong(pattern: tuple[Any, Any, Any]) -> None:
    """Each pattern of the shape language, once each way."""
    shape, right, wrong = pattern
    assert differences(shape, right) == []
    assert differences(shape, wrong) != []


def test_placeholders_keep_types_and_say_when_they_mean_nothing() -> None:
    """A lone placeholder keeps its type; inside a text it is encoded, escaped or added to."""
    values = {"job": {"id": "a/b", "at": 5}, "u": "x.y"}
    filled = fill(
        ["{job.at}", "{job.at+1000}", "p/{q:job.id}", "~{re:u}", "a{3}", "${HOME}"], values
    )
    assert filled == [5, 1005, "p/a%2Fb", r"~x\.y", "a{3}", "${HOME}"]
    with pytest.raises(CaseError, match="nothing is called"):
        fill("{job.name}", values)


@for_each(
    "change",
    [
        {"name": "oneword"},
        {"expects": {}},
        {"steps": []},
        {"since": "2024-01"},
        {"since": "2026-05", "until": "2025-11"},
        {"expect": {"json": {}}},
        {"expect": {"status": 200, "shape": "<integer>"}},
        {"expect": {"status": 200, "shape": {"$most": 1}}},
        {"expect_embedded": {"status": 400}},
        {"needs": {"joob": None}},
    ],
)
def test_a_case_written_wrongly_is_refused(change: dict[str, Any]) -> None:
    """Misspelt keys and patterns are errors, not cases that always pass."""
    case = {"name": "a-case", "request": {"path": "/"}, "expect": {"status": 200}}
    assert parse(case, "x").steps == (Step({"path": "/"}, {"status": 200}),)
    with pytest.raises(CaseError):
        parse(case | change, "x")
