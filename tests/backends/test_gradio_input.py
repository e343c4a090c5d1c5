"""Bad input for a Gradio server is found before anything is sent, each in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.base import Upload
from aitk_nb.backends.gradio.datasets import GradioDatasets
from aitk_nb.backends.gradio.journal import DatasetNote, Journal, SentFile
from aitk_nb.errors import AitkError, InvalidDataset, InvalidParams, NotSupported
from aitk_nb.models.endpoint import Endpoint, Parameter
from aitk_nb.models.names import slug_of
from tests.backends.abilities import quiet
from tests.backends.test_gradio_path import params
from tests.proxy import FaultProxy


@pytest.fixture
def wire(any_server: demo.GradioServer) -> Iterator[FaultProxy]:
    """A line whose log tells what was sent."""
    with FaultProxy(any_server.url) as proxy:
        yield proxy


@pytest.fixture
def client(wire: FaultProxy) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client on that line, which has sent a dataset."""
    with aitk_nb.connect(wire.url) as client:
        client.datasets.upload(aitk_nb.example_photos(), "good")
        wire.log.clear()
        yield client


def pictures(folder: Path, *names: str) -> Path:
    """Fill a folder with small pictures."""
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.new("RGB", (64, 64)).save(folder / name, "PNG")
    return folder


def assert_unsent(wire: FaultProxy, error: AitkError) -> None:
    """Fail if something was sent, or if the error is more than one line."""
    assert {"GET", "HEAD"} >= {exchange.method for exchange in wire.log}
    assert "\n" not in str(error)


def test_a_dataset_goes_to_another_apps_function_in_its_order(tmp_path: Path) -> None:
    """As FluxGym's: a State, a size, the files, then the captions."""
    sent: list[list[object]] = []

    class App:
        """An app with one function, which notes what it is called with."""

        def function(self, _operation: str) -> Endpoint:
            """Return the function."""
            captions = [Parameter(f"param_{at}", required=True) for at in range(3)]
            size, files = (
                Parameter("size", "number", default=512),
                Parameter("files", "list of file"),
            )
            state = Parameter("state_0", "any", hidden=True)
            return Endpoint("/make", "POST", "", parameters=(state, size, files, *captions))

        def run(self, _operation: str, data: list[object], _session: str, *, what: str) -> None:
            """Note a call."""
            assert what
            sent.append(data)

    datasets = GradioDatasets(App(), None, Journal("http://x", tmp_path))  # type: ignore[arg-type]
    files = tuple(SentFile(f"{at}.png", f"000{at}.png", 1, "", f"/u/{at}") for at in range(2))
    datasets._create(DatasetNote("a", files=files, captions={"1.png": "a cat"}))

    ((state, size, photos, *captions),) = sent
    assert (None, 512, ["", "a cat", ""]) == (state, size, captions)
    assert ["/u/0", "/u/1"] == [photo["path"] for photo in photos]  # type: ignore[attr-defined]


def test_too_many_files(client: aitk_nb.AIToolkitClient, wire: FaultProxy, tmp_path: Path) -> None:
    """The captions count as well."""
    folder = pictures(tmp_path / "many", *(f"{number}.png" for number in range(76)))
    for number in range(75):
        (folder / f"{number}.txt").write_text("a caption")

    with pytest.raises(InvalidDataset, match=r"151 images and captions.*accepts 150") as caught:
        client.datasets.upload(folder)

    assert_unsent(wire, caught.value)


def test_as_many_files_as_it_takes(client: aitk_nb.AIToolkitClient, tmp_path: Path) -> None:
    """And not one more, also when they come in two parts."""
    folder = pictures(tmp_path / "full", *(f"{number}.png" for number in range(150)))
    assert 150 == len(client.datasets.upload(folder).images)
    pictures(folder, "one_more.png")

    with pytest.raises(InvalidDataset, match="151 images and captions"):
        client.datasets.upload(folder)


@pytest.mark.parametrize("names", [("a.png", "a.png"), ("a.png", "a.PNG")])
def test_two_files_of_one_name(
    client: aitk_nb.AIToolkitClient, wire: FaultProxy, tmp_path: Path, names: tuple[str, str]
) -> None:
    """The later would overwrite the earlier, silently."""
    files = []
    for number, name in enumerate(names):
        path = pictures(tmp_path / str(number), name) / name
        files.append(Upload(path, name, path.stat().st_size))

    for ask in (
        lambda: client._backend.missing("twice", files),
        lambda: client._backend.upload("twice", files, quiet),
    ):
        with pytest.raises(
            InvalidDataset, match=r"the same name on the server.*rename one"
        ) as caught:
            ask()
        assert_unsent(wire, caught.value)


def test_a_broken_image_and_a_strange_file(
    client: aitk_nb.AIToolkitClient, wire: FaultProxy, tmp_path: Path
) -> None:
    """Both by name."""
    folder = pictures(tmp_path / "broken", "fine.png")
    (folder / "torn.png").write_bytes((folder / "fine.png").read_bytes()[:60])
    with pytest.raises(InvalidDataset, match=r"torn\.png") as caught:
        client.datasets.upload(folder)
    assert_unsent(wire, caught.value)

    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(InvalidDataset, match=r"clip\.mp4.*only images and captions") as other:
        client._backend.missing("x", [Upload(clip, "clip.mp4", 12)])
    assert_unsent(wire, other.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"steps": 20_000}, "steps: 20000 exceeds this server's maximum of 10000"),
        ({"base_model": "pony"}, "base_model: 'pony' should be 'dev', 'schnell'"),
        ({"extra_datasets": ("good",)}, "only one dataset"),
        ({"gpu_ids": "0,1"}, "only one GPU"),
    ],
)
def test_parameters_that_the_app_refuses(
    client: aitk_nb.AIToolkitClient, wire: FaultProxy, fields: dict[str, object], says: str
) -> None:
    """Gradio 4 would accept some of them silently."""
    wanted = params("bad", "good", 5).model_copy(update=fields)

    with pytest.raises(InvalidParams) as caught:
        client.jobs.start(wanted)

    assert says in str(caught.value)
    assert_unsent(wire, caught.value)
    assert () == client.jobs.list()


def test_what_no_server_takes() -> None:
    """An unknown architecture, and YAML that is none."""
    with pytest.raises(InvalidParams, match="unknown architecture 'pony'"):
        params("bad", "good", 5, arch="pony")
    with pytest.raises(InvalidParams, match="invalid YAML"):
        params("bad", "good", 5, extra="a: [")


def test_no_dataset_of_this_session(client: aitk_nb.AIToolkitClient, wire: FaultProxy) -> None:
    """The server would train on nothing, and fail minutes later."""
    with pytest.raises(aitk_nb.errors.NotFound, match=r"no dataset named 'none'.*good"):
        client.jobs.start(params("bad", "none", 5))
    client._backend.upload("empty", (), quiet)
    with pytest.raises(InvalidDataset, match="no images: upload some") as caught:
        client.jobs.start(params("bad", "empty", 5))
    assert_unsent(wire, caught.value)


# -- forks ----------------------------------------------------------------------------------------


def test_a_fork_without_a_function(wire: FaultProxy) -> None:
    """The error lists what the app has, and how to say which one it is."""
    with aitk_nb.connect(
        wire.url, gradio=aitk_nb.GradioOptions(operations={"start training": "train_it"})
    ) as client:
        client.datasets.upload(aitk_nb.example_photos(), "good")
        says = r"no function /train_it.*/start_training.*operations="
        with pytest.raises(NotSupported, match=says):
            client.jobs.start(params("bad", "good", 5))


@given(st.text(min_size=1, max_size=60))
def test_a_slug_stays_as_it_is(name: str) -> None:
    """The server makes slugs too, and must find nothing to change in ours."""
    slug = slug_of(name)

    assert slug
    assert slug == slug_of(slug)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not slug.startswith("-")
    assert not slug.endswith("-")
    assert "--" not in slug
