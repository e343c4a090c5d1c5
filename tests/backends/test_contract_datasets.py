"""What every backend keeps about datasets, whatever its server answers on the wire.

A test names the abilities it needs and is skipped, visibly, where a server lacks one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.backends.base import Backend, Upload
from aitk_nb.errors import BadInput, NotFound
from aitk_nb.models.job import JobDraft
from aitk_nb.models.server import Ability, Flavour
from tests.backends.abilities import ODD_NAMES, needs, only, quiet


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_on_the_server_are_known_before(backend: Backend, tmp_path: Path, name: str) -> None:
    """What is uploaded is found under the names that were foretold, with its caption."""
    needs(backend, Ability.UPLOAD, Ability.LIST_DATASETS)
    dataset, files = backend.server_names(name, [f"{name[:40]}.png", f"{name[:40]}.txt"])
    contents = (b"a picture", "une légende 🐈".encode())
    sent = []
    for number, (file, content) in enumerate(zip(files, contents, strict=True)):
        source = tmp_path / str(number)
        source.write_bytes(content)
        sent.append(Upload(source, file, len(content)))

    backend.upload(dataset, sent, quiet)

    assert dataset in backend.list_datasets()
    info = backend.get_dataset(dataset)
    assert files[0] in info.images
    assert "une légende 🐈" == info.captions[files[0]]
    assert ((), ()) == backend.missing(dataset, sent)


def test_missing_tells_absent_from_different(backend: Backend, tmp_path: Path) -> None:
    """Size and content both count, and a dataset that is not there lacks everything."""
    needs(backend, Ability.UPLOAD)
    contents = {"same.png": b"1234", "size.png": b"12345", "content.png": b"1234"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [Upload(tmp_path / name, name, len(data)) for name, data in contents.items()]
    assert backend.missing("told_apart", files) == (tuple(files), ())
    backend.upload("told_apart", files, quiet)
    (tmp_path / "size.png").write_bytes(b"123456")
    (tmp_path / "content.png").write_bytes(b"4321")
    (tmp_path / "new.png").write_bytes(b"new")
    now = [files[0], Upload(tmp_path / "size.png", "size.png", 6), files[2]]
    new = Upload(tmp_path / "new.png", "new.png", 3)

    absent, differing = backend.missing("told_apart", [*now, new])

    assert (new,) == absent
    assert (now[1], now[2]) == differing


def test_a_file_from_elsewhere_is_compared_by_content(
    backend: Backend, stand_in_server: demo.DemoServer, tmp_path: Path
) -> None:
    """What somebody else uploaded is not sent again, and not taken for ours by its size."""
    needs(backend, Ability.UPLOAD)
    only(backend, Flavour.WEBUI, "a Gradio app shows nobody another's datasets")
    folder = stand_in_server.data / "datasets" / "from_elsewhere"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"1234")
    (folder / "b.png").write_bytes(b"9999")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"1234")
    first, second = (Upload(tmp_path / name, name, 4) for name in ("a.png", "b.png"))

    assert ((), (second,)) == backend.missing("from_elsewhere", [first, second])


def test_an_unknown_dataset_is_not_found(backend: Backend) -> None:
    """The error lists what there is."""
    needs(backend, Ability.LIST_DATASETS, Ability.UPLOAD)
    backend.upload("cats", (), quiet)
    with pytest.raises(NotFound, match=r"no dataset named 'dogs'.*cats") as caught:
        backend.get_dataset("dogs")

    assert "cats" in caught.value.known


@pytest.mark.parametrize("name", ["../escape", "a/b", "a\\b", ".hidden", "", "x\n"])
def test_a_name_that_leads_elsewhere_is_never_sent(backend: Backend, name: str) -> None:
    """The server would follow it."""
    needs(backend, Ability.UPLOAD, Ability.LIST_DATASETS, Ability.TRAIN)
    with pytest.raises(BadInput):
        backend.get_dataset(name)
    with pytest.raises(BadInput):
        backend.upload(name, (), quiet)
    with pytest.raises(BadInput):
        backend.missing(name, ())
    with pytest.raises(BadInput):
        backend.create_job(JobDraft(name, "0", {}))
