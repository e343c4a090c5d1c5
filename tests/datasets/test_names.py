"""Names on the server: our model of the renaming is the server's, and no collision is missed."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from aitk_nb.backends.webui import names
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Code
from aitk_nb.demo import DemoServer
from tests.datasets.pictures import picture

# What can be a file's name on every machine, and cannot be written into a form otherwise.
LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='/\\:*?"<>|%')
STEMS = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda stem: not stem.startswith(".") and stem.strip(" .") == stem
)
NAMES = st.builds("{}{}".format, STEMS, st.sampled_from([".png", ".txt", ".JPG", ".mp4", ""]))


def by_the_contract(name: str) -> str:
    """Return a name with each UTF-16 unit outside `[A-Za-z0-9.-]` as one underscore."""
    allowed = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
    raw = name.encode("utf-16-le")
    units = (int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2))
    return "".join(chr(unit) if unit in allowed else "_" for unit in units)


@settings(suppress_health_check=list(HealthCheck))
@given(NAMES, NAMES)
@example("my photo (1) ü.png", "my_photo__1___.png")
@example("\N{SMILING FACE WITH SUNGLASSES}.png", "__.png")
def test_any_pair_of_names_is_stored_as_we_say(
    demo_server: DemoServer, first: str, second: str
) -> None:
    """By the server's answer, by what lies in its folder, and by the contract."""
    dataset = "renaming"
    parts = [("files", (name, name.encode(), "image/png")) for name in (first, second)]
    folder = demo_server.data / "datasets" / dataset
    answer = httpx.post(
        f"{demo_server.url}/api/datasets/upload", data={"datasetName": dataset}, files=parts
    )
    ours = [names.file_name(name) for name in (first, second)]
    assert ours == [by_the_contract(first), by_the_contract(second)]
    assert answer.json()["files"] == ours
    stored = {path.name for path in folder.iterdir()}
    assert set(ours) <= stored
    # One name for both means that the second has overwritten the first, without a word.
    assert (folder / ours[1]).read_text(encoding="utf-8") == second
    for name in ours:
        (folder / name).unlink(missing_ok=True)


@settings(suppress_health_check=list(HealthCheck))
@given(STEMS, STEMS)
@example("my cat", "my_cat")
@example("é", "e\u0301")
@example("ü", "ö")
def test_collisions_are_always_found(
    tmp_path_factory: pytest.TempPathFactory, first: str, second: str
) -> None:
    """Two images are told as colliding exactly when the server would give them one stem."""
    assume(first.casefold() != second.casefold())
    assume(unicodedata.normalize("NFC", first) != unicodedata.normalize("NFC", second))
    folder = tmp_path_factory.mktemp("pair")
    picture(folder / f"{first}.png", (20, 20))
    picture(folder / f"{second}.jpg", (20, 20))
    problems = LocalDataset(folder).errors
    told = any(problem.code is Code.COLLISION for problem in problems)
    assert told == (by_the_contract(first) == by_the_contract(second))


def test_every_pair_of_many_colliding_names_is_named(tmp_path: Path) -> None:
    """Each name that is not the first of its kind is told, with the one that it meets."""
    for letter in "äöüß":
        picture(tmp_path / f"{letter}.png")
    problems = [one for one in LocalDataset(tmp_path).errors if one.code is Code.COLLISION]
    assert len(problems) == 3
    assert len({problem.other for problem in problems}) == 1
