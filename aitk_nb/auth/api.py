"""`check_auth`: what answers, whether it requires credentials, and whether it accepts these."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Unpack

from aitk_nb.auth import messages
from aitk_nb.auth.report import AuthReport
from aitk_nb.auth.security import Facts, find
from aitk_nb.backends.detection import access_probes
from aitk_nb.backends.detection.access_probes import Knocks
from aitk_nb.backends.detection.identify import Sighting, look
from aitk_nb.backends.detection.unknown_server import Foreign, Kind
from aitk_nb.backends.gradio import endpoints
from aitk_nb.backends.gradio.login import login_of
from aitk_nb.backends.gradio.matching import match, product
from aitk_nb.connection import Connection, ConnectionOptions, Secret, hidden, locate
from aitk_nb.errors import ConnectionFailed
from aitk_nb.models import AuthState, Credential, Flavour, Outcome


def check_auth(
    url: str | Connection = "", *, timeout: float = 10.0, **options: Unpack[ConnectionOptions]
) -> AuthReport:
    """Check authentication, and find security problems; read-only, and does not raise for them.

    The server is asked without credentials, with invalid ones and with yours: a server without a
    token accepts any, so only all three responses show whether it accepts yours. If a web UI
    rejects what was given, the default password of AI Toolkit's Docker files is tried once.

    Args:
        url: An address or a `Connection`, as for `connect`.
        timeout: Seconds to wait for each response.
        **options: `token`, `credentials`, `headers` and `verify`, as for `connect`.

    Returns:
        The state, the next step and the security findings.

    Raises:
        BadInput: The address is invalid, or an extra header can't be sent.

    Example:
        >>> aitk_nb.check_auth(client.url, token="my-token").ok
        True
    """
    given = hidden(options)
    connection = locate(url, any_token=True, **given)
    _check_extra_headers(connection)
    try:
        seen = look(connection, attempts=1, timeout=timeout)
        skew = _skew(seen)
        if seen.flavour is Flavour.WEBUI:
            facts = _webui(seen, timeout)
        elif seen.flavour is Flavour.GRADIO:
            facts = _gradio(seen, timeout)
        else:
            return _foreign(seen, skew)
    except ConnectionFailed as exc:
        return _unreachable(connection, exc)
    return _report(replace(facts, skew=skew), seen)


def _check_extra_headers(connection: Connection) -> None:
    """Refuse headers that no request can carry; a token that it can't carry is reported instead."""
    token = connection.token if connection.token and connection.token.is_token else None
    replace(connection, token=token).check_headers()


def _report(facts: Facts, seen: Sighting) -> AuthReport:
    connection, flavour = facts.connection, facts.flavour or Flavour.WEBUI
    if facts.state is AuthState.NOT_AITK:
        what = f"as a Gradio {facts.version} app without functions for training"
        report = _foreign(replace(seen, foreign=Foreign(Kind.GRADIO, what)), facts.skew)
        diagnosis = f"It is {facts.product}: it answers {what}."
        return replace(report, diagnosis=diagnosis, product=facts.product)
    other_kind = bool(connection.login if flavour is Flavour.WEBUI else connection.token)
    diagnosis, step = messages.of_server(flavour, facts.state, other_kind=other_kind)
    report = _summed_up(facts, diagnosis, step, seen.headers)
    if facts.meant:
        # The remedy is known: what was given is nearly right.
        forms = {"token-form", "token-as-login"}
        step = next(check.remedy for check in report.findings if check.name in forms)
        return replace(report, next_step=step)
    return report


def _summed_up(
    facts: Facts, diagnosis: str, step: str, headers: Mapping[str, str] | None = None
) -> AuthReport:
    return AuthReport(
        facts.connection.url,
        facts.state,
        diagnosis,
        step,
        flavour=facts.flavour,
        product=facts.product,
        findings=find(facts),
        checks=facts.knocks.cells,
        cause=facts.cause,
        detail=facts.detail,
        skew=facts.skew,
        gateway=messages.gateway_name(headers or {}),
    )


# -- a web UI -------------------------------------------------------------------------------------


def _webui(seen: Sighting, timeout: float) -> Facts:
    connection = seen.connection
    knocks = access_probes.knock_webui(connection, timeout)
    is_open = Credential.NONE in _let_in(knocks)
    state = _state(knocks, is_open=is_open, given=connection.token)
    # That it says "Unauthorized" is true of many servers; "Access denied" to a file is its own.
    own = state.is_in or any(c.group == "files" and c.outcome.is_in for c in knocks.cells)
    product = "AI Toolkit's web UI" if own else _LIKE_WEBUI
    facts = Facts(connection, state, Flavour.WEBUI, knocks, product=product)
    if connection.token:
        facts = replace(facts, flaws=_flaws(connection.token))
    if state is AuthState.OPEN:
        plain = replace(connection, token=None, login=None)
        return replace(facts, hf_token=access_probes.shows_hf_token(plain, timeout))
    if state is AuthState.ACCEPTED:
        return replace(
            facts,
            hf_token=access_probes.shows_hf_token(connection, timeout),
            default_password=connection.token == Secret(access_probes.DEFAULT_PASSWORD),
        )
    return replace(
        facts,
        meant=_meant(connection, timeout),
        default_password=access_probes.default_password(connection, timeout),
    )


_LIKE_WEBUI = "like AI Toolkit's web UI; whether it is that cannot be seen without a token"


def _flaws(token: Secret) -> tuple[str, ...]:
    """Return what is wrong with the form of a token, accepted or not."""
    if token.flaws or token.is_token:
        return token.flaws
    return ("a space or a non-ASCII character in it, which no request can carry",)


def _state(knocks: Knocks, *, is_open: bool, given: object) -> AuthState:
    """Return whether the server is open, and else what it makes of what was `given`."""
    if is_open or knocks.wrong_accepted:
        return AuthState.OPEN
    if _let_in(knocks) & {Credential.GIVEN, Credential.COOKIE}:
        return AuthState.ACCEPTED
    return AuthState.REJECTED if given else AuthState.MISSING


def _let_in(knocks: Knocks) -> set[Credential]:
    logins = (cell for cell in knocks.cells if cell.group == "login")
    return {cell.credential for cell in logins if cell.outcome is Outcome.ALLOWED}


def _meant(connection: Connection, timeout: float) -> str:
    """Return which part of what was given the server would have accepted as its token."""
    tried: dict[str, Secret] = {}
    if connection.token and connection.token.flaws:
        tried["mended"] = connection.token.mended
    if connection.login:
        tried["user"] = Secret(connection.login[0])
        tried["password"] = connection.login[1]
    for name, token in tried.items():
        if token.is_token and access_probes.accepts(
            replace(connection, token=token, login=None), timeout
        ):
            return name
    return ""


# -- a Gradio app ---------------------------------------------------------------------------------


def _gradio(seen: Sighting, timeout: float) -> Facts:
    connection, config = seen.connection, seen.config
    login = login_of(connection)
    if seen.locked and login:
        config = access_probes.config_by_login(connection, timeout) or config
    version = str(config.get("version", ""))
    functions = endpoints.read_app(config, None).endpoints if "components" in config else None
    what = product(functions)
    if functions is not None and match(functions)["start training"].api_name is None:
        return Facts(connection, AuthState.NOT_AITK, Flavour.GRADIO, version=version, product=what)
    prefix = endpoints.prefix_of(config)
    knocks = access_probes.knock_gradio(connection, prefix, timeout, locked=seen.locked)
    state = _state(knocks, is_open=not seen.locked, given=login)
    return Facts(connection, state, Flavour.GRADIO, knocks, version=version, product=what)


# -- nothing, and something else ------------------------------------------------------------------


def _foreign(seen: Sighting, skew: float | None) -> AuthReport:
    """Return the report on something that is not a training server, or not yet."""
    foreign = seen.foreign or Foreign(Kind.OTHER, "in an unknown way")
    connection = seen.connection
    state = AuthState.NOT_AITK
    diagnosis = f"It answers {foreign.seen}, which is not an AI Toolkit server."
    step = "" if foreign.hides else foreign.advice
    if foreign.kind is Kind.BOOTING:
        state = AuthState.BOOTING
        diagnosis = f"A gateway answers {foreign.seen}: the server is still starting."
        step = "Wait a minute and try again; this is not about the token."
    elif foreign.hides:
        given = connection.login or connection.headers
        state = AuthState.REJECTED if given else AuthState.MISSING
        diagnosis, step = messages.in_front(state, foreign.seen)
    detail = f"{connection.url} answers {foreign.seen}"
    facts = Facts(connection, state, skew=skew, cause=foreign.kind.value, detail=detail)
    return _summed_up(facts, diagnosis, step, seen.headers)


def _unreachable(connection: Connection, exc: ConnectionFailed) -> AuthReport:
    cause = exc.cause or "broken"
    facts = Facts(connection, AuthState.UNREACHABLE, cause=cause, detail=exc.reason)
    return _summed_up(facts, *messages.unreachable(cause))


def _skew(seen: Sighting) -> float | None:
    """Return the seconds by which the server's clock is ahead of ours, by the Date it sent."""
    if "age" in seen.headers:
        return None  # a cache answered, with the time of an older response
    try:
        said = parsedate_to_datetime(seen.headers["date"])
    except (KeyError, ValueError):
        return None
    if said.tzinfo is None:
        said = said.replace(tzinfo=UTC)
    return (said - seen.at).total_seconds()
