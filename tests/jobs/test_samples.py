"""`Samples`: each with its prompt; what is shown was fetched before, small and once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import aitk_nb
from aitk_nb.demo import DemoServer
from aitk_nb.errors import ConnectionFailed, NotSupported
from aitk_nb.jobs.samples import Samples, fetch_samples, prompts_of, sample_grid
from aitk_nb.models.job import Sample

PROMPTS = [{"prompt": "[trigger] & <b>"}, {"prompt": "two"}]
CONFIG = {"config": {"process": [{"trigger_word": "grace", "sample": {"samples": PROMPTS}}]}}
OFF = {"disable_sampling": True}


class Server:
    """A server with pictures, of which it counts what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def thumbnail(self, path: str) -> bytes:
        """Return a large picture, as a server without thumbnails does."""
        self.asked.append(path)
        if "gone" in path:
            raise ConnectionFailed("http://x")
        buffer = io.BytesIO()
        Image.effect_noise((1000, 600), 90).save(buffer, "JPEG")
        return buffer.getvalue()

    @contextmanager
    def open_range(self, path: str) -> Iterator[Callable[[int, int], bytes]]:
        """Read a long text."""
        self.asked.append(path)
        yield lambda start, length: b"<i>\xff" + b"long " * (length // 5)


def listed(steps: int, prompts: int, ending: str = "jpg") -> list[Sample]:
    """Return the samples of a job."""
    pairs = [(step * 100, index) for step in range(steps) for index in range(prompts)]
    names = [(f"1__{step:09d}_{index}.{ending}", step, index) for step, index in pairs]
    return [Sample(name, step, index, f"/out/{name}") for name, step, index in names]


def fetched(
    server: Any, samples: list[Sample], limit: int = 24, known: Samples | None = None
) -> Samples:
    """Fetch what the server has."""
    return fetch_samples(server, samples, CONFIG, limit, known or ())


def test_a_page_shows_them_by_prompt_and_step_and_asks_for_nothing() -> None:
    """The prompts are escaped, and have their trigger word; the newest step comes first."""
    server = Server()
    found = fetched(server, listed(3, 2))
    asked = len(server.asked)
    page = found.grid.html()
    assert asked == len(server.asked) == 6
    assert 6 == page.count("<img")
    assert page.index("<strong>grace &amp; &lt;b&gt;</strong>") < page.index("<strong>two</strong>")
    assert page.index("step 200") < page.index("step 100") < page.index("step 0")
    assert 'alt="two, step 200"' in page
    assert "<script" not in page
    assert "http" not in page
    assert "<6 samples of 2 prompts at 3 steps>" == repr(found)
    assert ("two", 200) == (found[-1].prompt, found[-1].step)
    with Image.open(io.BytesIO(found[-1].thumbnail)) as picture:
        assert (300, 180) == picture.size


def test_only_the_newest_whole_steps_are_fetched_and_each_once() -> None:
    """However many there are; the rest is listed."""
    server = Server()
    found = fetched(server, listed(200, 5))
    assert 1000 == len(found)
    assert 20 == len(found.shown) == len(server.asked)
    assert {19600, 19700, 19800, 19900} == {one.step for one in found.shown}
    assert "The newest 20 of 1000" in found.grid.html()
    assert 24 == len(fetched(server, listed(1, 100)).shown)
    server.asked.clear()
    again = fetched(server, listed(201, 5), known=found)
    assert 5 == len(server.asked)
    assert all(one.thumbnail for one in again.shown)
    assert not fetched(Server(), listed(2, 2), 0).shown


def test_texts_films_sounds_and_what_is_gone() -> None:
    """A text is shown, and cut; the others are named."""
    server = Server()
    samples = [
        *listed(1, 1, "txt"),
        *(Sample(f"a.{ending}", -1, -1, f"/a.{ending}") for ending in ("mp4", "wav", "xyz")),
        Sample("gone<i>.png", 5, 9, "/gone"),
    ]
    page = fetched(server, samples).grid.html()
    assert "<pre" in page
    assert "&lt;i&gt;\ufffdlong" in page
    for words in ("a.mp4 (a video)", "a.wav (sound)", "gone&lt;i&gt;.png (can&#x27;t be shown)"):
        assert words in page
    assert "prompt 10" in page
    assert {"/.thumbs/a.mp4.jpg", "/.thumbs/a.wav.jpg"} < set(server.asked)
    assert 4 == len(server.asked)
    assert len(page) < 12_000


def test_a_film_is_shown_by_what_the_trainer_has_drawn_of_it() -> None:
    """Its first frame, or the waveform of sound; and jobs side by side share a prompt's rows."""

    class Drawn(Server):
        @contextmanager
        def open_range(self, path: str) -> Iterator[Callable[[int, int], bytes]]:
            yield lambda _start, _length: self.thumbnail(path)

    films = [fetched(Drawn(), listed(2, 2, "mp4")), fetched(Drawn(), listed(3, 2, "wav"))]
    grid = sample_grid([("a", films[0]), ("b", films[1])])
    assert ("grace & <b> · a", "grace & <b> · b", "two · a", "two · b") == grid.rows
    assert ("step 0", "step 100", "step 200") == grid.columns
    assert 10 == len(grid.tiles)
    assert all(tile.picture for tile in grid.tiles.values())


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config": {"process": []}},
        {"config": {"process": [{"sample": {"samples": "no"}, "trigger_word": 5}]}},
        {"config": {"process": [{"sample": {"samples": ["no", None]}}]}},
        {"config": {"process": [{"sample": {"samples": [{"prompt": None}, {}]}}]}},
        {"config": {"process": [{"sample": {"samples": PROMPTS}, "train": OFF}]}},
    ],
)
def test_odd_configs_have_no_prompts(config: Any) -> None:
    """Nor do they break the list."""
    assert not any(prompts_of(config))
    assert "prompt 1" in fetch_samples(Server(), listed(1, 1), config, 1).grid.html()  # type: ignore[arg-type]


def test_nothing_yet() -> None:
    """Is said."""
    assert "<no samples>" == repr(fetched(Server(), []))
    assert "No samples yet." in fetched(Server(), [])._repr_html_()


def test_of_a_real_job(demo_server: DemoServer, photos: Path) -> None:
    """With thumbnails that the server makes; a Gradio app says why there are none."""
    given = {"steps": 20, "resolution": 64, "sample_every": 10, "prompts": ("a [trigger]",)}
    with aitk_nb.connect(demo_server.url) as client:
        client.datasets.upload(photos, "sampled")
        params = {"name": "sampled", "dataset": "sampled", "trigger_word": "cat", **given}
        job = client.jobs.start(aitk_nb.TrainingParams.model_validate(params))
        job.wait(every=0.1)
        found = job.samples()
        assert [(0, "a cat"), (10, "a cat"), (20, "a cat")] == [
            (one.step, one.prompt) for one in found
        ]
        assert all(one.thumbnail.startswith(b"\xff\xd8") for one in found)
        assert job.sample_image(found[0])
        job.delete()


def test_a_gradio_app_says_why_it_shows_none() -> None:
    """In a sentence, with where they are."""
    pytest.importorskip("gradio_client")
    from aitk_nb.backends.gradio.backend import Gradio

    with pytest.raises(NotSupported, match="Look in"):
        Gradio.list_samples(None, None)  # type: ignore[arg-type]
