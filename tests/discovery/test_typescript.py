"""TypeScript is checked by its own compiler, in strict mode, for both flavours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aitk_nb import discover
from aitk_nb.models.endpoint import OPERATIONS
from tests.discovery.programs import compiled, run
from tests.gradio_servers import LOGIN

if TYPE_CHECKING:
    from aitk_nb import DiscoveryReport
    from aitk_nb.demo import DemoServer, GradioServer

USE_WEBUI = """
const client = new AIToolkitClient(process.env.URL ?? "");
const name = await client.createDataset("Typed set", [
  { name: "a.txt", data: new Blob(["a caption"]) },
]);
console.log(name);
try {
  await client.jobStatus("nobody");
} catch (error) {
  console.log(String(error));
}
"""

USE_GRADIO = """
const { AITK_USERNAME, AITK_PASSWORD, URL: address } = process.env;
const client = await AIToolkitClient.login(address ?? "", AITK_USERNAME ?? "", AITK_PASSWORD ?? "");
const files = [{ name: "a.txt", data: new Blob(["a caption"]) }];
const [file] = await client.createDataset(files, crypto.randomUUID());
console.log(file?.path.split("/").at(-1));
const status = await client.jobStatus("/no/where", "nothing");
console.log(status.waiting, status.files.length);
"""


@pytest.mark.slow
def test_every_function_and_both_clients(
    demo_server: DemoServer, gradio_login_server: GradioServer, tmp_path: Path
) -> None:
    """All compile, and the clients do what they say when Node runs them."""
    webui = discover(demo_server.url)
    gradio = discover(gradio_login_server.url, credentials=LOGIN)
    files = {**_functions("webui", webui), **_functions("gradio", gradio)}
    files["use_webui"] = webui.typescript_client() + USE_WEBUI
    files["use_gradio"] = gradio.typescript_client() + USE_GRADIO

    folder = compiled(files, tmp_path)

    ran = _run(folder / "use_webui.js", tmp_path, {"URL": demo_server.url})
    assert ["typed_set", "Error: There is no job named nobody."] == ran
    user, password = LOGIN
    env = {"URL": gradio_login_server.url, "AITK_USERNAME": user, "AITK_PASSWORD": password}
    assert ["a.txt", "0 0"] == _run(folder / "use_gradio.js", tmp_path, env)


def _functions(flavour: str, report: DiscoveryReport) -> dict[str, str]:
    names = [*(endpoint.name for endpoint in report.endpoints), *OPERATIONS]
    return {
        f"{flavour}{number}": report.snippet(name, "typescript")
        for number, name in enumerate(names)
    }


def _run(program: Path, folder: Path, env: dict[str, str]) -> list[str]:
    return run(program.read_text(encoding="utf-8"), "javascript", folder, env).out.splitlines()
