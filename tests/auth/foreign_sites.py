"""What stands at addresses where no training server does: answers as the real ones give them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.backends.canned import Asked, Reply

HTML = {"Content-Type": "text/html; charset=utf-8"}
TORNADO = {"Server": "TornadoServer/6.5.2"}

BAD_GATEWAY = Reply(
    502,
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1>"
    "</center><hr><center>nginx</center></body></html>",
    {**HTML, "Server": "nginx"},
)
LOGIN_PAGE = Reply(
    200,
    '<html><head><title>Sign in</title></head><form method="post"><input name="user">'
    '<input name="pass" type="password"></form></html>',
    HTML,
)
POD_404 = Reply(404, "<html><head><title>404</title></head><body>Not found</body></html>", HTML)
BASIC = Reply(
    401,
    "<html><head><title>401 Authorization Required</title></head></html>",
    {**HTML, "WWW-Authenticate": 'Basic realm="the gateway"', "Server": "nginx"},
)


def jupyter_open(asked: Asked) -> Reply:
    """Answer as a JupyterLab without a token does (jupyter_server 2.21)."""
    if asked.path == "/":
        return Reply(302, headers={**TORNADO, "Location": "/lab?"})
    if asked.path == "/lab":
        page = '<title>JupyterLab</title><script id="jupyter-config-data">{}</script>'
        return Reply(200, page, {**HTML, **TORNADO})
    if asked.path.startswith("/api/"):
        return Reply(404, {"message": "Not Found", "reason": None}, TORNADO)
    return Reply(404, "<title>Jupyter Server</title>404 : Not Found", {**HTML, **TORNADO})


def jupyter_closed(asked: Asked) -> Reply:
    """Answer as a JupyterLab with a token does."""
    if asked.path.startswith("/api/"):
        return Reply(403, {"message": "Forbidden", "reason": None}, TORNADO)
    if asked.path == "/login":
        page = '<title>Jupyter Server</title><input type="password" name="password">'
        return Reply(200, page, {**HTML, **TORNADO})
    return Reply(302, headers={**TORNADO, "Location": f"/login?next={asked.path}"})


def file_server(asked: Asked) -> Reply:
    """Answer as `python -m http.server` does."""
    if asked.path == "/":
        page = "<title>Directory listing for /</title><ul><li>config.json</ul>"
        return Reply(200, page, {**HTML, "Server": "SimpleHTTP/0.6 Python/3.11"})
    return Reply(404, "<title>Error response</title>", HTML)


def login_wall(asked: Asked) -> Reply:
    """Answer as a login on the same host does: whatever is asked leads there."""
    if asked.path == "/login":
        return LOGIN_PAGE
    return Reply(302, headers={"Location": f"/login?next={asked.path}"})


def other_api(asked: Asked) -> Reply:
    """Answer as an API of another program."""
    if asked.path == "/config":
        return Reply(200, {"version": "3.1", "name": "another"})
    return Reply(404, {"detail": "Not Found"})


def other_gradio(asked: Asked) -> Reply:
    """Answer as a Gradio app that makes pictures does."""
    if asked.path == "/config":
        named = [{"id": 0, "api_name": "text2img"}, {"id": 1, "api_name": "translate"}]
        return Reply(
            200,
            {
                "version": "5.50.0",
                "api_prefix": "/gradio_api",
                "protocol": "sse_v3",
                "components": [],
                "dependencies": named,
            },
        )
    page = "<script>window.gradio_config = {}</script>"
    return Reply(200, page, HTML) if asked.path == "/" else Reply(404, {"detail": "Not Found"})


@contextlib.contextmanager
def hanging() -> Iterator[str]:
    """Yield the address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def dripping() -> Iterator[str]:
    """Yield the address of a server whose answer never ends, a byte at a time."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000000\r\n\r\n"
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(head)
            while not over.wait(0.05):
                connection.sendall(b"x")

    with _accepting(drip) as address:
        yield address
        over.set()


@contextlib.contextmanager
def hanging_up() -> Iterator[str]:
    """Yield the address of a server that closes each connection without an answer."""
    with _accepting(lambda connection: connection.close()) as address:
        yield address


@contextlib.contextmanager
def _accepting(serve: object) -> Iterator[str]:
    """Yield the address of a listener that hands each connection to `serve` in a thread."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(connection,)))  # type: ignore[arg-type]
                threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(5)
