"""Names and addresses as the web UI makes them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.backends.webui import names


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("My Data-Set 01!", "my_data_set_01_"),
        ("ÜMLAUT", "_mlaut"),
        ("Été à Paris", "_t_paris"),
        ("a__b", "a_b"),
        ("🙂🙂", "_"),
        ("cats", "cats"),
        ("", ""),
    ],
)
def test_datasets_are_renamed_by_runs(name: str, stored: str) -> None:
    """Lower case, and each run of anything else becomes one underscore."""
    assert stored == names.dataset_name(name)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("my photo (1) ü.png", "my_photo__1___.png"),
        ("🙂.png", "__.png"),
        ("A-b.C.PNG", "A-b.C.PNG"),
        ("a_b.txt", "a_b.txt"),
    ],
)
def test_files_are_renamed_by_characters(name: str, stored: str) -> None:
    """Each UTF-16 unit becomes one underscore, and case is kept."""
    assert stored == names.file_name(name)


@given(st.text())
def test_a_second_renaming_changes_nothing(name: str) -> None:
    """So that a renamed file keeps its name at the server."""
    file = names.file_name(name)
    dataset = names.dataset_name(name)

    assert file == names.file_name(file)
    assert dataset == names.dataset_name(dataset)
    assert not set(file) & set('/\\:*?"<>| \x00')


@pytest.mark.parametrize(
    ("folder", "joined"),
    [
        ("/srv/out", "/srv/out/a/b.txt"),
        ("/srv/out/", "/srv/out/a/b.txt"),
        ("C:\\srv\\out", "C:\\srv\\out\\a\\b.txt"),
        ("C:\\srv\\out\\", "C:\\srv\\out\\a\\b.txt"),
        ("C:/srv/out", "C:/srv/out/a/b.txt"),
        ("/odd\\folder", "/odd\\folder/a/b.txt"),
    ],
)
def test_paths_have_the_separator_of_their_server(folder: str, joined: str) -> None:
    """The server may be Windows while this machine is not."""
    assert joined == names.join(folder, "a", "b.txt")
    assert "b.txt" == names.base_name(joined)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_address_of_a_file_is_one_segment_that_says_the_path(path: str) -> None:
    """Whatever the path holds, it is read back whole, and each address is a fresh one."""
    url = names.file_url(path)
    parts = urlsplit(url)

    assert "/api/files/" + path == unquote(parts.path)
    assert 3 == parts.path.count("/")
    assert not parts.fragment
    assert url != names.file_url(path)
