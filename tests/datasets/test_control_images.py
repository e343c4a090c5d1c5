"""Control images from a folder to the job config: as names here, as paths on the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aitk_nb
from aitk_nb.errors import BadInput, InvalidParams, NotFound
from aitk_nb.models.checklist import Status
from aitk_nb.models.job import JobStatus
from aitk_nb.training import config_files, presets
from aitk_nb.training.config_diff import differences
from aitk_nb.training.export import FORMATS
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.datasets.pictures import add
from tests.loops import for_each

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer

TWO = ("edits_control_1", "edits_control_2")


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of the open embedded server."""
    with aitk_nb.connect(demo_server.url) as connected:
        yield connected


def params(**fields: Any) -> TrainingParams:
    """Return parameters of a training that takes up to three control images, with these fields."""
    usual = {"name": "pairs", "dataset": "pairs", "arch": "flux2", "steps": 3, "resolution": 64}
    return TrainingParams(**{**usual, **fields})


def datasets(config: Any) -> list[dict[str, Any]]:
    """Return the datasets of a job config."""
    found: list[dict[str, Any]] = config["config"]["process"][0]["datasets"]
    return found


def test_from_a_folder_to_a_job(
    client: aitk_nb.AIToolkitClient, demo_server: DemoServer, tmp_path: Path
) -> None:
    """Scanned, uploaded, named, looked up, posted as paths, and read back as names."""
    folder = tmp_path / "edits"
    add(folder, "a.png", "a.txt", "b.png", "b.txt")
    for number in (1, 2):
        add(folder / f"control_{number}", "a.png", "b.png")
    sent = client.datasets.upload(aitk_nb.LocalDataset(folder))
    assert TWO == sent.controls
    assert sent.controls == client.datasets.upload(folder).controls
    (demo_server.data / "datasets" / TWO[1] / "b.png").unlink()
    add(demo_server.data / "datasets" / TWO[0], "z.png")
    report = client.datasets.verify(folder)
    assert (f"{TWO[1]}/b.png",) == report.missing
    assert (f"{TWO[0]}/z.png",) == report.extra
    assert 1 == client.datasets.upload(folder).sent
    assert client.datasets.verify(folder).ok

    meant = params(dataset=sent.name, control_datasets=sent.controls, gpu_ids="0")
    needs = [c for c in client.jobs.preflight(meant).checks if c.name == "needs"]
    assert [Status.OK] == [check.status for check in needs]
    job = client.jobs.start(meant)
    *_, state = job.watch(every=0.1, timeout=60)
    assert state.status is JobStatus.COMPLETED

    (dataset,) = datasets(job.state.config)
    root = Path(dataset["folder_path"]).parent
    assert demo_server.data / "datasets" == root
    assert [str(root / name) for name in TWO] == [dataset[f"control_path_{n}"] for n in (1, 2)]
    assert all(Path(dataset[f"control_path_{n}"], "a.png").is_file() for n in (1, 2))
    assert None is dataset["control_path_3"]
    assert () == differences(job.state.config, draft(meant).config)
    assert meant == job.params()
    # Running the cell again attaches.
    assert job.state.id == client.jobs.start(meant).state.id


def test_what_the_server_lacks_is_found_before(
    client: aitk_nb.AIToolkitClient, tmp_path: Path
) -> None:
    """A dataset that is not there, an image without its control image, and none at all."""
    add(tmp_path / "half", "a.png", "a.txt", "b.png", "b.txt")
    add(tmp_path / "half_pairs", "a.png")
    for name in ("half", "half_pairs"):
        client.datasets.upload(tmp_path / name)

    def said(*names: str) -> tuple[Status, str]:
        wanted = params(
            name="half", dataset="half", arch="flux_kontext", control_datasets=list(names)
        )
        checks = client.jobs.preflight(wanted).checks
        return next((c.status, f"{c.message} {c.remedy}") for c in checks if c.name == "needs")

    verdict, text = said()
    assert verdict is Status.PROBLEM
    assert "control_datasets" in text
    verdict, text = said("nowhere")
    assert verdict is Status.PROBLEM
    assert "Upload the control images first." in text
    verdict, text = said("half_pairs")
    assert verdict is Status.PROBLEM
    assert "1 of 2 images in 'half'" in text
    assert "'b.png'" in text
    with pytest.raises(NotFound, match="nowhere"):
        client.jobs.start(params(dataset="half", control_datasets="nowhere"))


@for_each("arch", presets.load())
def test_each_architecture_has_its_keys(arch: str) -> None:
    """One, three or none; more than that, or any where there is none, is refused."""
    keys = presets.load()[arch].control_keys
    names = [f"c{number}" for number in range(len(keys))]
    (dataset,) = datasets(draft(params(arch=arch, control_datasets=names)).config)

    assert names == [dataset[key] for key in keys]
    with pytest.raises(InvalidParams) as caught:
        params(arch=arch, control_datasets=[*names, "more"])
    assert arch in caught.value.problems["control_datasets"]


def test_a_name_is_a_name() -> None:
    """It cannot leave the folder of the datasets; nor can more than three be used by anybody."""
    with pytest.raises(InvalidParams, match=r"'\.\./x'"):
        params(control_datasets=["../x"])
    unknown = {"arch": "zz_new", "base_model": "x/y"}
    (dataset,) = datasets(draft(params(**unknown, control_datasets="one")).config)
    assert "one" == dataset["control_path"]
    (dataset,) = datasets(draft(params(**unknown, control_datasets=TWO)).config)
    assert list(TWO) == [dataset["control_path_1"], dataset["control_path_2"]]
    with pytest.raises(InvalidParams, match="from 3 datasets, not from 4"):
        params(**unknown, control_datasets=list("abcd"))


def test_control_images_belong_to_the_first_dataset(client: aitk_nb.AIToolkitClient) -> None:
    """Another dataset gets its own by `extra`: a name becomes a path there too."""
    meant = params(
        extra_datasets="others",
        control_datasets="pairs_control",
        extra="datasets: [{}, {control_path_1: others_control, control_path_2: /data/x}]",
    )
    first, second = datasets(draft(meant).config)
    assert ("pairs_control", None) == (first["control_path_1"], first["control_path_2"])

    assert "others_control" == second["control_path_1"]

    wanted = draft(params(name="two", extra=meant.extra, extra_datasets="others"))
    state = client._backend.create_job(wanted)
    (first, second) = datasets(state.config)
    assert None is first["control_path_1"]
    assert second["folder_path"] + "_control" == second["control_path_1"]
    assert "/data/x" == second["control_path_2"]


@pytest.mark.parametrize("root", ["/srv/data sets/", "D:\\aitk\\datasets\\"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_comes_back_as_it_was(root: str, slash: str) -> None:
    """Paths beside the dataset's own are names; others stay paths."""
    config = config_files.file_config(params(control_datasets="pairs_control"))
    (dataset,) = datasets(config)
    dataset |= {"folder_path": f"{root}pairs{slash}", "control_path_1": f"{root}pairs_control"}

    found = TrainingParams.from_config(config)
    assert ("pairs", ("pairs_control",)) == (found.dataset, found.control_datasets)
    assert config == config_files.file_config(found)
    changed = TrainingParams.from_config(config, control_datasets=["other"])
    assert "other" == datasets(config_files.file_config(changed))[0]["control_path_1"]

    for elsewhere in ("/elsewhere/pairs", ["/a", "/b"], "bare"):
        dataset["control_path_2"] = elsewhere
        found = TrainingParams.from_config(config)
        assert config == config_files.file_config(found)


def test_what_is_given_by_hand_is_checked() -> None:
    """The keys of `extra` that `from_file` writes."""
    for bad in ("1", "[1]", "[{control_path: 1}]"):
        with pytest.raises(InvalidParams, match="controls"):
            params(extra=f"aitk_nb: {{here: {{controls: {bad}}}}}")


@pytest.mark.parametrize("title", ["Requests with curl", "Requests in Python"])
def test_the_requests_place_them(title: str) -> None:
    """Each name becomes a path below the server's datasets."""
    with_controls = FORMATS[title](params(control_datasets=TWO))
    plain = FORMATS[title](params())

    assert {"control_path_1", "control_path_2"} <= {
        word
        for line in set(with_controls.splitlines()) - set(plain.splitlines())
        if "DATASETS_FOLDER" in line
        for word in ("control_path_1", "control_path_2")
        if word in line
    }


def test_a_name_in_extra_is_checked_when_it_is_placed(client: aitk_nb.AIToolkitClient) -> None:
    """Nothing outside the datasets is reached by it."""
    with pytest.raises(BadInput, match="cannot be the name of a dataset"):
        client._backend.create_job(draft(params(extra="datasets: [{control_path_1: ..}]")))
