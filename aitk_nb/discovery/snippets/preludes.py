"""What stands before every request: the address, and how to prove who asks, by language."""

from __future__ import annotations

from aitk_nb.discovery.snippets.quoting import javascript, python, shell

__all__ = ["CURL", "curl", "javascript_prelude", "python_prelude"]

CURL = "curl -sS --fail-with-body"


def curl(url: str, auth: str) -> tuple[str, str]:
    """Return the lines before a request by curl, and the command that sends one.

    No secret is an argument of a command, where others on the machine could read it.
    """
    lines = [f"url={shell(url)}"]
    if auth == "token":
        header = "printf 'Authorization: Bearer %s' \"$AITK_TOKEN\""
        lines.append(f'ask() {{ {header} | {CURL} -H @- "$@"; }}')
        return "\n".join(lines) + "\n", "ask"
    if auth == "login":
        lines += [
            "jar=$(mktemp)",
            "trap 'rm -f \"$jar\"' EXIT",
            f'ask() {{ {CURL} -b "$jar" "$@"; }}',
            f'printf %s "$AITK_PASSWORD" | {CURL} -o /dev/null -c "$jar" '
            '--data-urlencode "username=$AITK_USERNAME" --data-urlencode password@- "$url/login"',
        ]
        return "\n".join(lines) + "\n", "ask"
    return "\n".join(lines) + "\n", CURL


def python_prelude(url: str, auth: str, *, imports: tuple[str, ...] = ()) -> str:
    """Return the lines before a request by httpx."""
    needed = sorted({*imports, *(["os"] if auth in {"token", "login"} else [])})
    lines = [*(f"import {name}" for name in needed), *([""] if needed else []), "import httpx", ""]
    lines.append(f"server = httpx.Client(base_url={python(url)}, timeout=60)")
    if auth == "token":
        lines.append('server.headers["Authorization"] = f"Bearer {os.environ[\'AITK_TOKEN\']}"')
    if auth == "login":
        lines += [
            'login = {"username": os.environ["AITK_USERNAME"], '
            '"password": os.environ["AITK_PASSWORD"]}',
            'server.post("/login", data=login).raise_for_status()',
        ]
    return "\n".join(lines) + "\n"


def javascript_prelude(url: str, auth: str) -> str:
    """Return the lines before a request by fetch."""
    lines = [f"const url = {javascript(url)};"]
    if auth == "token":
        lines.append("const headers = { Authorization: `Bearer ${process.env.AITK_TOKEN}` };")
    elif auth == "login":
        lines += [
            "const { AITK_USERNAME: username, AITK_PASSWORD: password } = process.env;",
            "const login = await fetch(`${url}/login`, "
            '{ method: "POST", body: new URLSearchParams({ username, password }) });',
            "if (!login.ok) throw new Error(`login: ${login.status} ${await login.text()}`);",
            'const cookies = login.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);',
            'const headers = { Cookie: cookies.join("; ") };',
        ]
    else:
        lines.append("const headers = {};")
    return "\n".join(lines) + "\n"
