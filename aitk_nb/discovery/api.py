"""`discover`: what a server offers, found out read-only."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from aitk_nb.backends.base import Progress
from aitk_nb.backends.detection.identify import look, unrecognized
from aitk_nb.backends.detection.probes import Answer, Asker, Probe, claim_probes, claims_from
from aitk_nb.backends.gradio import endpoints
from aitk_nb.backends.gradio.matching import match, product
from aitk_nb.backends.webui import catalog
from aitk_nb.backends.webui.catalog import CATALOG
from aitk_nb.connection import Connection, ConnectionOptions, hidden, locate
from aitk_nb.discovery.report import DiscoveryReport
from aitk_nb.errors import ConnectionFailed, Unauthorized
from aitk_nb.models import OPERATIONS, Ability, Credential, Endpoint, Flavour, Operation


def discover(
    url: str | Connection = "",
    *,
    seconds: float = 20.0,
    progress: Progress | None = None,
    **options: Unpack[ConnectionOptions],
) -> DiscoveryReport:
    """List the endpoints of the server at `url`; read-only, and does not raise if it fails.

    Whether an endpoint exists is found out with PUT, which none implements: an existing one
    rejects the method and does nothing; or with OPTIONS, where the path would match another one
    too. A web UI with a token needs the token to show that; without it every endpoint is `locked`.
    A Gradio app lists its functions itself.

    Args:
        url: An address or a `Connection`, as for `connect`.
        seconds: Time limit for everything; what has no response by then is `unknown`.
        progress: Called with the numbers of responses and requests, from any thread.
        **options: `token`, `credentials`, `headers` and `verify`, as for `connect`.

    Returns:
        The endpoints, the operations, and the programs to call them.

    Raises:
        BadInput: The address is invalid, or the credentials can't be sent.

    Example:
        >>> aitk_nb.discover(client.url).operations_table
        In all 4 rows: confidence 100% · reasons ...
        operation       endpoints
        create dataset  create_dataset → upload_files → list_images
        ...
    """
    given = hidden(options)
    connection = locate(url, **given)
    try:
        seen = look(connection, attempts=1, timeout=seconds / 2)
    except ConnectionFailed as exc:
        return DiscoveryReport(connection.url, failure=str(exc))
    url = seen.connection.url
    if seen.flavour is None:
        why = unrecognized(seen)
        hidden_by = "login" if isinstance(why, Unauthorized) else "unknown"
        return DiscoveryReport(url, auth=hidden_by, failure=str(why))
    with Asker(seen.connection, seen.flavour, seconds=seconds / 2, progress=progress) as ask:
        return _webui(ask, url) if seen.flavour is Flavour.WEBUI else _gradio(ask, url)


# -- the web UI -----------------------------------------------------------------------------------


def _webui(ask: Asker, url: str) -> DiscoveryReport:
    gate = Probe("GET", catalog.PATHS["auth"], Credential.NONE)
    checks = claim_probes(Flavour.WEBUI)
    probes = [Probe(catalog.probe_method(entry), entry.probe_path) for entry in CATALOG]
    control, *answers = ask([_CONTROL, gate, *checks, *probes])
    seen = answers[1 + len(checks) :]
    told = {
        entry.name: _state(answer, control, entry.method)
        for entry, answer in zip(CATALOG, seen, strict=True)
    }
    if told["auth"] in {"absent", "unknown"}:
        # It has just answered a GET: what PUT gets there comes from something in front.
        told = dict.fromkeys(told, "unknown")
    found = catalog.endpoints(told, _asked_for(answers[0], "token"))
    newest, odd = catalog.era(found)
    return DiscoveryReport(
        url=url,
        flavour=Flavour.WEBUI,
        auth=_asked_for(answers[0], "token"),
        newest=newest,
        lacking=odd,
        abilities=catalog.abilities(found),
        endpoints=found,
        operations=catalog.operations(found),
        product="AI Toolkit's web UI" if newest else "like AI Toolkit's web UI",
        claims=claims_from(Flavour.WEBUI, answers[1 : 1 + len(checks)]),
    )


_CONTROL = Probe("PUT", "/api/aitk-nb-has-no-such-endpoint")
"""Where it gets 405 as well, 405 proves nothing."""


def _state(answer: Answer, control: Answer, method: str = "") -> str:
    if answer.probe.method == "OPTIONS" and answer.allow:
        return "present" if method in answer.allow else "absent"
    if answer.status == 405:
        return "unknown" if control.status == 405 else "present"
    if answer.status == 401:
        return "locked"
    return "absent" if answer.status == 404 else "unknown"


def _asked_for(answer: Answer, what: str) -> str:
    if answer.status == 401:
        return what
    return "none" if answer.status == 200 else "unknown"


# -- Gradio ---------------------------------------------------------------------------------------


def _gradio(ask: Asker, url: str) -> DiscoveryReport:
    locked, config = ask([Probe("GET", "/config", Credential.NONE), Probe("GET", "/config")])
    asked_for = _asked_for(locked, "login")
    if config.status == 200:
        prefix = endpoints.prefix_of(config.json)
    else:
        ask.shut_out()
        prefix = _hidden_prefix(ask)
    addresses = endpoints.fixed(prefix, "")
    puts = [Probe("PUT", address.probe_path) for address in addresses]
    checks = claim_probes(Flavour.GRADIO, prefix)
    # Gradio 4 has a function of any name below /api/.
    control = Probe("PUT", f"{prefix}/aitk-nb-has/no-such-endpoint")
    info, nothing, *answers = ask([Probe("GET", f"{prefix}/info"), control, *puts, *checks])
    app = endpoints.read_app(config.json, info.json)
    common = [
        replace(address, state=_state(answer, nothing), auth=_needed(address, asked_for))
        for address, answer in zip(
            endpoints.fixed(prefix, app.version), answers[: len(puts)], strict=True
        )
    ]
    functions = [replace(function, auth=asked_for) for function in app.endpoints]
    is_seen = config.status == 200
    operations = match(functions) if is_seen else _unseen()
    return DiscoveryReport(
        url=url,
        flavour=Flavour.GRADIO,
        version=app.version,
        prefix=prefix,
        auth=asked_for,
        abilities=_abilities(operations),
        endpoints=(*functions, *common),
        operations=operations,
        claims=claims_from(Flavour.GRADIO, answers[len(puts) :], prefix),
        product=product(functions if is_seen else None),
    )


def _hidden_prefix(ask: Asker) -> str:
    """Return the prefix of an app that shows nothing before a login; Gradio 5 added one."""
    newer = "/gradio_api"
    (answer,) = ask([Probe("PUT", f"{newer}/queue/join")])
    return newer if answer.status == 405 else ""


def _unseen() -> dict[str, Operation]:
    reason = "the app shows its functions after a login only"
    return {name: Operation(name, reasons=(reason,)) for name in OPERATIONS}


def _needed(address: Endpoint, asked_for: str) -> str:
    return "public" if address.name == "login" and asked_for == "login" else asked_for


def _abilities(operations: Mapping[str, Operation]) -> frozenset[Ability]:
    """Return what the app can do, judging by what its functions take."""
    able = set()
    train = operations["start training"]
    if operations["create dataset"].api_name or (train.calls[:1] == ("upload",)):
        able.add(Ability.UPLOAD)
    if train.api_name:
        able.add(Ability.TRAIN)
    if train.api_name and "advanced" in train.arguments:
        # A job that trains in the upload folder can be followed and downloaded.
        able |= {Ability.LOSSES, Ability.FILES, Ability.DOWNLOAD}
    if operations["download LoRA"].api_name:
        able.add(Ability.DOWNLOAD)
    return frozenset(able)
