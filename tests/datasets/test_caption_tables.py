"""Tables of captions: whatever wrote them, each caption comes back, or the row is named."""

from __future__ import annotations

import csv
import io
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import aitk_nb
from aitk_nb.datasets.local.caption_tables import read_table
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Code
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.server import Flavour
from tests.cli.command import run
from tests.datasets.pictures import add

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer

TEXTS = st.text(st.sampled_from(list("ab é,;\t|\"'\\\r\n\u2028\u0085")), max_size=12)
MODES = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    mode=st.sampled_from(MODES),
    escapes=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    header=st.sampled_from([("file_name", "text"), ("", "image", "prompt"), ("caption", "file")]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@example(
    texts=[""],
    delimiter="\t",
    mode=csv.QUOTE_MINIMAL,
    escapes=False,
    end="\n",
    header=("", "image", "prompt"),
    encoding="utf-8",
)
def test_each_caption_comes_back_or_the_row_is_named(
    tmp_path: Path,
    texts: list[str],
    delimiter: str,
    mode: int,
    escapes: bool,
    end: str,
    header: tuple[str, ...],
    encoding: str,
) -> None:
    """In each way in which the standard library can write a table with double quotes."""
    written = io.StringIO(newline="")
    writer = csv.writer(
        written,
        delimiter=delimiter,
        quoting=mode,  # type: ignore[arg-type]
        doublequote=not escapes,
        escapechar="\\" if escapes or mode == csv.QUOTE_NONE else None,
        lineterminator=end,
    )
    rows = [(f"{n}.png", text) for n, text in enumerate(texts)]
    writer.writerow(header)
    for n, (file, text) in enumerate(rows):
        writer.writerow((text, file) if header[0] == "caption" else (n, file, text)[-len(header) :])
    path = tmp_path / "metadata.csv"
    path.write_bytes(written.getvalue().encode(encoding))
    found = read_table(path)
    if found.faults:
        assert not found.captions
        assert found.faults[0].startswith("row ")
    else:
        assert {file: text.strip() for file, text in found.captions.items()} == {
            file: text.strip() for file, text in rows
        }


CAPTIONS = {"a.png": "mycat, sofa", "b.png": "mycat"}


@pytest.mark.parametrize(
    ("name", "content", "captions"),
    [
        (
            "metadata.csv",
            "file_name,text\na.png,mycat, soft light, grain\nb.png,'mycat'\"s, toy\n",
            {"a.png": "mycat, soft light, grain", "b.png": "'mycat'\"s, toy"},
        ),
        (
            "metadata.csv",
            'file_name,text\na.png,mycat, film grain\nb.png,"mycat on grass, sunny"\n',
            {"a.png": "mycat, film grain", "b.png": "mycat on grass, sunny"},
        ),
        (
            "metadata.csv",
            ',image,prompt\n0,a.png,"a ""soft"", light"\n1,b.png,"mycat,\nclose-up"\n',
            {"a.png": 'a "soft", light', "b.png": "mycat,\nclose-up"},
        ),
        ("captions.csv", "file_name;text\r\na.png;mycat, sofa\r\nb.png;mycat\r\n", CAPTIONS),
        ("any name.tsv", "image\tcaption\na.png\tmycat, sofa\nb.png\tmycat\n", CAPTIONS),
        ("captions.txt", "a.png|mycat, sofa\nb.png|mycat\n", CAPTIONS),
        ("metadata.csv", "a.png,mycat, sofa\nb.png,mycat\n", CAPTIONS),
        ("metadata.csv", "file_name,text\ra.png,x y\rb.png,z\r", {"a.png": "x y", "b.png": "z"}),
        (
            "metadata.csv",
            'file_name;text\na.png;"one, red"\nb.png;"two, red"\nc.png;"three cats"\n',
            {"a.png": "one, red", "b.png": "two, red", "c.png": "three cats"},
        ),
        ("labels.csv", "file_name,text\na.png,miku \\(idol\\)\n", {"a.png": "miku \\(idol\\)"}),
        (
            "metadata.jsonl",
            '{"file_name": "a.png", "text": "two\u2028lines\u0085"}\r\n\n{"image": "x/b.png",'
            ' "caption": "z"}',
            {"a.png": "two\u2028lines\u0085", "b.png": "z"},
        ),
        ("metadata.json", '[{"file_name": "a.png", "text": "x"}]', {"a.png": "x"}),
        (
            "captions.json",
            '{"a.png": "x", "/home/me/b.png": ["y", "z"]}',
            {"a.png": "x", "b.png": "y, z"},
        ),
        ("meta_cap.json", '{"a": {"caption": "x"}, "b": {"tags": "y"}}', {"a": "x", "b": "y"}),
        ("metadata.jsonl", '{"file_name": "a.png", "text": "x"}', {"a.png": "x"}),
    ],
)
def test_nothing_of_a_caption_is_lost(
    tmp_path: Path, name: str, content: str, captions: dict[str, str]
) -> None:
    """Whatever people bring, and in any encoding that its first bytes tell."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / name).write_bytes(content.encode(encoding))
        found = read_table(tmp_path / name)
        assert (captions, ()) == (found.captions, found.faults)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", "text,file_name\nx,a.png\nmycat, red,b.png\n", "row 3 has 3 cells, not 2"),
        (
            "a.csv",
            "file_name,text\na.png,\"x\nb.png,'y\n",
            "row 2 has a quotation that does not end",
        ),
        ("a.csv", "file_name,text\na.png,'x, y'\nb.png,'z'\n", "row 2 is in single quotes"),
        ("a.csv", 'file_name,text\na.png,say \\"x\\", y\n', "row 2 has a backslash before"),
        ("a.csv", "file_name,text\na.png,x\na.png,y\n", "row 3 has another caption of 'a.png'"),
        ("a.csv", "file_name,text\na.png,x\nand more\n", "row 3 has 1 cell, not 2"),
        ("a.csv", "bild;wort\na.png;x\n", "has no columns called file_name and text: it begins"),
        ("a.jsonl", '{"file_name": "a.png", "text": "x"}\noops\n', "line 2 is no JSON object"),
        ("a.jsonl", '{"text": "x"}\n{"image": "b.png"}', "line 1 names no file"),
        ("meta_cap.json", '{"a": {"caption": "x", "tags": "y"}}', "has tags beside its captions"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_row(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    """So that it can be corrected."""
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    (told,) = read_table(tmp_path / name).faults
    assert told.startswith(fault)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("captions.csv", "bild;wort\na.png;x\n", "'captions.csv' has no columns called file_name"),
        (
            "metadata.csv",
            "file_name,text\nz.png,x\n",
            "'metadata.csv' names 1 file not found here, e.g. 'z.png'",
        ),
        ("metadata.jsonl", "", "'metadata.jsonl' has no caption"),
        ("a.json", '{"id": 5}', "'a.json' holds no caption"),
    ],
)
def test_a_file_that_yields_nothing_is_named_everywhere(
    tmp_path: Path, demo_server: DemoServer, name: str, content: str, says: str
) -> None:
    """By the check, by fix and by the upload, in Python and on the command line."""
    add(tmp_path / "set", "a.png", "a.txt")
    (tmp_path / "set" / name).write_text(content)
    dataset = LocalDataset(tmp_path / "set")
    (problem,) = dataset.problems
    assert Code.CAPTION_LOST == problem.code
    assert problem.message.startswith(says)
    (change,) = dataset.fix(tmp_path / "fixed").changes
    assert (name, "") == (change.file, change.name)
    assert f"'{name}' {change.text}" == problem.message
    with aitk_nb.connect(demo_server.url) as client:
        info = client.datasets.upload(dataset, f"lost {name}")
    assert (str(problem),) == info.remarks
    assert says in repr(info)
    assert says in unescape(info._repr_html_())
    for command in (["check"], ["upload", "--url", demo_server.url]):
        ran = run("dataset", command[0], tmp_path / "set", *command[1:])
        assert says in ran.out + ran.err


def test_other_endings_are_read_sent_and_converted(tmp_path: Path, demo_server: DemoServer) -> None:
    """What lies beside a .txt file is kept beside it."""
    folder = tmp_path / "set"
    add(folder, *(f"{name}.png" for name in "abcde"), "a.txt")
    texts = {"a.caption": "long a", "b.caption": "long b", "c.png.txt": "c, full", "Z.caption": "z"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "d.json").write_text('{"caption": "a d", "caption_short": "d"}')
    dataset = LocalDataset(folder).check()
    told = [problem.message for problem in dataset.problems]
    assert told == [
        "'Z.caption' is left out: no image has this name",
        "1 caption in .caption files, which the trainer reads only with caption_ext: caption",
        "1 caption in files such as 'c.png.txt', which the trainer does not read",
        "1 caption in .json files, of which the trainer takes all as the caption with caption_ext:"
        " json",
        "'e.png' has no caption",
    ]
    report = dataset.fix(tmp_path / "fixed")
    assert {"a.png": "a cat", "b.png": "long b", "c.png": "c, full", "d.png": "a d"} == dict(
        report.dataset.captions
    )
    assert "long a" == (tmp_path / "fixed" / "a.caption").read_text()
    assert not (tmp_path / "fixed" / "b.caption").exists()
    with aitk_nb.connect(demo_server.url) as client:
        info = client.datasets.upload(dataset, "endings")
        again = client.datasets.upload(dataset, "endings")
        tools = client._backend.dataset_tools
        assert {"a.png": "long a", "b.png": "long b"} == tools.captions(
            "endings", info.images, ".caption"
        )
    assert (9, 0) == (info.sent, again.sent)
    assert 4 == len(info.remarks)
    gradio = dataset.check(Requirements(flavour=Flavour.GRADIO))
    assert "3 caption files of other endings left out" in "".join(map(str, gradio.problems))
    assert "a.caption" not in {path.name for path in gradio.files}


def test_files_are_counted_by_their_kind() -> None:
    """Three videos are not three images."""
    assert "<dataset 'x': 3 videos, 0 captions>" == repr(
        DatasetInfo("x", ("a.mp4", "b.MOV", "c.mkv"))
    )
    assert "1 image, 1 video, 1 sound" == DatasetInfo("x", ("a.png", "b.mp4", "c.wav")).media
    assert "0 images" == DatasetInfo("x").media
