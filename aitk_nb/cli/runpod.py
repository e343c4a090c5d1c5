"""The command `runpod`: the pods of a RunPod account."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from aitk_nb.cli.app import AsJson, app, command, plain, say, show
from aitk_nb.client import connect
from aitk_nb.runpod.account import TEMPLATE
from aitk_nb.runpod.api import READY, RunPod
from aitk_nb.runpod.offers import ANY, Cloud
from aitk_nb.runpod.pod import Pod

runpod = typer.Typer(
    name="runpod", help="Pods of a RunPod account: create, use and end them.", no_args_is_help=True
)
app.add_typer(runpod)

Api = Annotated[
    str, typer.Option(help="Address of the API; demo: is an imitation.", envvar="AITK_RUNPOD")
]
Name = Annotated[str, typer.Argument(metavar="POD", help="Name or id of the pod.")]
Positive = Annotated[float | None, typer.Option(min=0, show_default=False)]


def _shown(pod: Pod, *, as_json: bool) -> None:
    address = f"  {pod.url}" if pod.url else ""
    line = f"{pod.name}  {pod.status.value}  {pod.gpu}  ${pod.price:.2f}/h{address}"
    show(pod.as_dict, plain(line), as_json=as_json)


@command("list", runpod)
def list_(api: Api = "", as_json: AsJson = False) -> None:
    """List the pods with state, GPU, price and address."""
    with RunPod(api) as pods:
        found = pods.list()
    _lines(found, lambda: [pod.as_dict() for pod in found], as_json=as_json)


@command("plan", runpod)
def plan(
    gpu: str = ANY,
    cloud: Cloud = "SECURE",
    template: str = TEMPLATE,
    hours: float = 0.0,
    api: Api = "",
    as_json: AsJson = False,
) -> None:
    """Show what could be created and what it costs; nothing is created.

    Args:
        gpu: RTX 4090, RTX 5090, another name of RunPod's, or any with 24 GB.
        cloud: SECURE, or COMMUNITY, machines of other people.
        template: Id of the template; AI Toolkit's official one by default.
        hours: Show the cost of so many hours.
    """
    with RunPod(api) as pods:
        found = pods.plan(gpu, cloud=cloud, template=template, hours=hours)
    rows = [
        {"gpu": one.name, "price": one.price, "availability": one.availability} for one in found
    ]
    _lines(found, lambda: {"read_at": found.read_at.isoformat(), "offers": rows}, as_json=as_json)


@command("create", runpod)
def create(
    name: Name,
    gpu: str = ANY,
    cloud: Cloud = "SECURE",
    template: str = TEMPLATE,
    max_hours: Positive = None,
    max_price: Positive = None,
    api: Api = "",
    as_json: AsJson = False,
) -> None:
    """Create a pod, which costs from now on; again, find the same one.

    Args:
        gpu: RTX 4090, RTX 5090, another name of RunPod's, or any with 24 GB.
        cloud: SECURE, or COMMUNITY, machines of other people.
        template: Id of the template; AI Toolkit's official one by default.
        max_hours: Hours for which it is meant to run; nothing stops it by itself.
        max_price: USD per hour that it may cost at most, without its disk.
    """
    with RunPod(api) as pods:
        pod = pods.create(
            name,
            gpu=gpu,
            cloud=cloud,
            template=template,
            max_hours=max_hours,
            max_price=max_price,
        )
    say(f"It costs ${pod.price:.2f}/h until: aitk-nb runpod stop {plain(pod.name)}")
    _shown(pod, as_json=as_json)


@command("wait", runpod)
def wait(name: Name, timeout: float = READY, api: Api = "", as_json: AsJson = False) -> None:
    """Wait until a pod runs and its server answers.

    Args:
        timeout: Seconds to wait at most.
    """
    with RunPod(api) as pods:
        _shown(pods.wait_ready(name, timeout=timeout), as_json=as_json)


@command("start", runpod)
def start(name: Name, api: Api = "", as_json: AsJson = False) -> None:
    """Start a stopped pod, which costs again."""
    with RunPod(api) as pods:
        _shown(pods.start(name), as_json=as_json)


@command("stop", runpod)
def stop(name: Name, anyway: bool = False, api: Api = "", as_json: AsJson = False) -> None:
    """Stop a pod, once its server says that nothing is lost.

    Args:
        anyway: Don't ask its server.
    """
    with RunPod(api) as pods:
        if anyway or not (found := pods.get(name)).status.is_on:
            pod = pods.stop(name, anyway=anyway)
        else:
            with connect(pods.connection(found)) as client:
                pod = pods.stop(found, client=client)
        _shown(pod, as_json=as_json)


@command("terminate", runpod)
def terminate(name: Name, api: Api = "") -> None:
    """Delete a pod of exactly that name, with all that is on it."""
    with RunPod(api) as pods:
        pods.terminate(name)
    say(f"{plain(name)} is terminated")


@command("logs", runpod)
def logs(
    name: Name,
    tail: Annotated[int, typer.Option(min=1, max=5000)] = 100,
    api: Api = "",
    as_json: AsJson = False,
) -> None:
    """Show the last lines of a pod's log.

    Args:
        tail: Number of lines.
    """
    with RunPod(api) as pods:
        lines = pods.logs(name, tail=tail).splitlines()
    show(lambda: lines, "\n".join(map(plain, lines)), as_json=as_json)


@command("cost", runpod)
def cost(name: Name, api: Api = "", as_json: AsJson = False) -> None:
    """Show what a pod has cost, as RunPod bills it."""
    with RunPod(api) as pods:
        found = pods.cost(name)
    values = {"amount": found.amount, "estimated": found.estimated}
    show(lambda: {**values, "read_at": found.read_at.isoformat()}, str(found), as_json=as_json)


def _lines(found: object, document: Callable[[], Any], *, as_json: bool) -> None:
    show(document, "\n".join(map(plain, repr(found).splitlines())), as_json=as_json)
