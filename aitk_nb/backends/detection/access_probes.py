"""Asks a server the same questions with different credentials, none of which changes anything.

On the web UI most of them are PUTs: no endpoint has that method, so that whoever is let in gets an
empty 405 and nothing is executed (contract of the web UI, section 1).
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx

from aitk_nb.backends.gradio.login import GradioHttp, login_of
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.backends.wire.response_errors import gateway_refusal, json_object
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import AitkError, Rejected, Unauthorized, UnexpectedReply
from aitk_nb.models.access import Access, Credential, Outcome

DEFAULT_PASSWORD = "password"  # noqa: S105 - the default of AI Toolkit's Docker compose file

Judge = Callable[[httpx.Response], Outcome]


@dataclass(frozen=True, slots=True)
class Knocks:
    """What came of all questions."""

    cells: tuple[Access, ...] = ()
    """The cells of the matrix: each group of endpoints with each credential."""
    wrong_accepted: bool = False
    """True when a made-up token or password was accepted like a right one."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One request that stands for a group of endpoints."""

    group: str
    method: str
    path: str
    judge: Judge


def _past_the_door(answer: httpx.Response) -> Outcome:
    """Judge a PUT: 405 comes from behind the password."""
    if answer.status_code in {401, 403}:
        return Outcome.REFUSED
    if answer.status_code == 405:
        return Outcome.ALLOWED
    return Outcome.ABSENT if answer.status_code == 404 else Outcome.UNKNOWN


def _login(answer: httpx.Response) -> Outcome:
    """Judge GET /api/auth: a page with status 200, as under every address of some, is no yes."""
    return _plain(answer) if answer.status_code != 200 or lets_in(answer) else Outcome.UNKNOWN


def lets_in(answer: httpx.Response) -> bool:
    """Return whether a web UI says that it lets us in."""
    return answer.status_code == 200 and "isAuthenticated" in json_object(answer)


def _plain(answer: httpx.Response) -> Outcome:
    """Judge a GET that only reads."""
    if answer.status_code in {401, 403} or answer.is_redirect:
        return Outcome.REFUSED
    return Outcome.ALLOWED if answer.status_code == 200 else Outcome.UNKNOWN


def _file(answer: httpx.Response) -> Outcome:
    """Judge the question for a file that is not there: to say so, the password was passed.

    Only the route's own words prove it; any gateway has a 403, and some a 404 for everything.
    """
    if answer.status_code == 401 or answer.is_redirect or gateway_refusal(answer):
        return Outcome.REFUSED
    own = answer.status_code == 403 or (answer.status_code == 404 and '"detail"' in answer.text)
    return Outcome.ALLOWED if own else Outcome.UNKNOWN


_WEBUI = (
    _Question("login", "GET", "/api/auth", _login),
    _Question("jobs", "PUT", "/api/jobs", _past_the_door),
    _Question("datasets", "PUT", "/api/datasets/list", _past_the_door),
    _Question("settings", "PUT", "/api/settings", _past_the_door),
    _Question("images", "GET", "/api/img/x", _file),
    _Question("files", "GET", "/api/files/x", _file),
    _Question("page", "GET", "/", _plain),
    _Question("control", "PUT", "/api/aitk-nb-has-no-such-endpoint", _past_the_door),
)
"""The public prefixes are asked by GET, for which the contract says what they answer."""


def _gradio_questions(prefix: str) -> tuple[_Question, ...]:
    return (
        _Question("login", "GET", f"{prefix}/login_check", _plain),
        _Question("functions", "GET", f"{prefix}/info", _plain),
        _Question("queue", "GET", f"{prefix}/queue/status", _plain),
        _Question("files", "GET", f"{prefix}/file=x", _file),
        _Question("page", "GET", "/", _plain),
    )


def knock_webui(connection: Connection, timeout: float) -> Knocks:
    """Return what a web UI answers to no token, to a wrong one and to the given one."""
    tokens: dict[Credential, Secret | None] = {Credential.NONE: None}
    if not _taken(connection):
        tokens[Credential.WRONG] = _made_up()
        if connection.token and connection.token.is_token:
            tokens[Credential.GIVEN] = connection.token
    with ExitStack() as stack:
        doors = {
            credential: stack.enter_context(_door(connection, timeout, token))
            for credential, token in tokens.items()
        }
        cells = _ask_all(_WEBUI, doors)
    wrong = _outcome(cells, "login", Credential.WRONG) is Outcome.ALLOWED
    return Knocks(cells, wrong)


def _taken(connection: Connection) -> bool:
    """Return whether a gateway's credentials leave no room for a token."""
    return any(name.lower() == "authorization" for name in connection.headers)


def knock_gradio(connection: Connection, prefix: str, timeout: float, *, locked: bool) -> Knocks:
    """Return what a Gradio app answers to nobody, to a wrong login, to the given one, and to Basic.

    Nobody logs in where nobody has to: an app without a login does not understand one.
    """
    plain = replace(connection, token=None, login=None)
    login = login_of(connection)
    wrong_accepted = False
    with ExitStack() as stack:
        doors: dict[Credential, Http] = {
            Credential.NONE: stack.enter_context(_door(plain, timeout))
        }
        if locked:
            wrong = replace(plain, login=(login[0] if login else "nobody", _made_up()))
            doors[Credential.WRONG], wrong_accepted = _opened(stack, wrong, timeout)
        if locked and login:
            doors[Credential.COOKIE], _ = _opened(stack, connection, timeout)
        if login and not _taken(connection):
            basic = {**connection.headers, "Authorization": Secret.basic(*login)}
            door = _door(replace(plain, headers=basic), timeout)
            doors[Credential.BASIC] = stack.enter_context(door)
        return Knocks(_ask_all(_gradio_questions(prefix), doors), wrong_accepted)


def _door(connection: Connection, timeout: float, token: Secret | None = None) -> closing[Http]:
    """Return a client without credentials but the token, which is closed with the context."""
    plain = replace(connection, token=token, login=None)
    return closing(Http(plain, attempts=1, timeout=timeout))


def _opened(stack: ExitStack, connection: Connection, timeout: float) -> tuple[Http, bool]:
    """Return a client that has logged in, and True; or one that has not, where it may not."""
    door = stack.enter_context(closing(GradioHttp(connection, attempts=1, timeout=timeout)))
    try:
        door.log_in()
    except (Rejected, Unauthorized, UnexpectedReply):
        return stack.enter_context(_door(connection, timeout)), False
    return door, True


def config_by_login(connection: Connection, timeout: float) -> Mapping[str, Any]:
    """Return what an app says of itself to a user with a login; empty for one that is refused.

    Raises:
        AitkError: the app does not answer.
    """
    with (
        closing(GradioHttp(connection, attempts=1, timeout=timeout)) as http,
        suppress(Rejected, Unauthorized, UnexpectedReply),
    ):
        found = http.get_json("/config", what="describe itself")
        return found if isinstance(found, dict) else {}
    return {}


def accepts(connection: Connection, timeout: float) -> bool:
    """Return whether the web UI lets somebody in who comes with this connection."""
    with suppress(AitkError), _door(connection, timeout, connection.token) as http:
        return lets_in(http.raw("GET", "/api/auth"))
    return False


def default_password(connection: Connection, timeout: float) -> bool:
    """Return whether the web UI accepts the password of AI Toolkit's Docker files."""
    token = Secret(DEFAULT_PASSWORD)
    return not _taken(connection) and accepts(replace(connection, token=token, login=None), timeout)


def shows_hf_token(connection: Connection, timeout: float) -> bool:
    """Return whether the settings hold a Hugging Face token; its value is not kept."""
    with suppress(AitkError), _door(connection, timeout, connection.token) as http:
        return bool(json_object(http.raw("GET", "/api/settings")).get("HF_TOKEN"))
    return False


def _made_up() -> Secret:
    return Secret(f"wrong-{secrets.token_hex(8)}")


def _ask_all(
    questions: Sequence[_Question], doors: Mapping[Credential, Http]
) -> tuple[Access, ...]:
    pairs = [(question, credential) for question in questions for credential in doors]
    cells = each(lambda pair: _ask(doors[pair[1]], *pair), pairs)
    return _with_public(_proven([cell for cell in cells if isinstance(cell, Access)]))


def _proven(cells: Sequence[Access]) -> list[Access]:
    """Return the cells without the control: where it got 405 too, a 405 proves no endpoint."""
    blind = {cell.credential for cell in cells if (cell.group, cell.status) == ("control", 405)}
    return [
        replace(cell, outcome=Outcome.UNKNOWN)
        if cell.status == 405 and cell.credential in blind
        else cell
        for cell in cells
        if cell.group != "control"
    ]


def _with_public(cells: Sequence[Access]) -> tuple[Access, ...]:
    """Return the cells; what a server gives to everybody is public where it has a password."""
    if _outcome(cells, "login", Credential.NONE) is Outcome.ALLOWED:
        return tuple(cells)
    groups = {
        cell.group
        for cell in cells
        if (cell.credential, cell.outcome) == (Credential.NONE, Outcome.ALLOWED)
    }
    return tuple(
        replace(cell, outcome=Outcome.PUBLIC)
        if cell.group in groups and cell.outcome is Outcome.ALLOWED
        else cell
        for cell in cells
    )


def _ask(http: Http, question: _Question, credential: Credential) -> Access:
    request = f"{question.method} {question.path}"
    try:
        answer = http.raw(question.method, question.path)
    except AitkError as exc:
        return Access(question.group, credential, request, 0, Outcome.UNKNOWN, str(exc))
    outcome = question.judge(answer)
    evidence = http.clean(f"{answer.status_code} {_words(answer)}")
    return Access(question.group, credential, request, answer.status_code, outcome, evidence)


def _words(answer: httpx.Response) -> str:
    """Return what a refusal says, or the kind of any other answer."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status_code < 400 or "html" in kind:
        return kind or "empty"
    words = " ".join(answer.text[:200].split())
    return "".join(char for char in words if char.isprintable())[:60] or kind or "empty"


def _outcome(cells: Sequence[Access], group: str, credential: Credential) -> Outcome | None:
    found = (c.outcome for c in cells if (c.group, c.credential) == (group, credential))
    return next(found, None)
