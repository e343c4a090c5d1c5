"""The server itself: settings, machine, monitor, and what it refuses to run."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from aitk_nb.demo.webui import javascript, machine
from aitk_nb.demo.webui.wire import Call, answer, error, page

_SETTINGS = ("HF_TOKEN", "TRAINING_FOLDER", "DATASETS_FOLDER", "MODELS_PATH")
_MONITOR = machine.Monitor()


def auth(_call: Call) -> Response:
    """Answer that the caller may go on; whoever may not never comes here."""
    return answer({"isAuthenticated": True})


def read_settings(call: Call) -> Response:
    """Answer all settings, the Hugging Face token in clear."""
    settings = call.store.settings()
    if not call.has("folder of models"):
        settings.pop("MODELS_PATH", None)
    return answer(settings)


def write_settings(call: Call) -> Response:
    """Write the settings that are sent; anything but all four is an error all the same."""
    try:
        body = call.fields()
        known = _SETTINGS if call.has("folder of models") else _SETTINGS[:-1]
        sent = {key: value for key in known if isinstance(value := body.get(key), str)}
        for key, value in sent.items():
            call.store.db.set_setting(key, value)
    except (TypeError, ValueError):
        return error("Failed to update settings", 500)
    if len(sent) < len(known):
        return error("Failed to update settings", 500)
    return answer({"success": True})


def gpu(call: Call) -> Response:
    """Answer the one pretended GPU."""
    return answer(machine.gpus(len(call.site.worker.pids)))


def cpu(_call: Call) -> Response:
    """Answer the processor and memory."""
    return answer(machine.cpu())


def cloud(_call: Call) -> Response:
    """Answer that no cloud is connected."""
    return answer({"enabled": False})


async def monitor(call: Call) -> Response:
    """Stream the state of the machine: once with history, then twice a second."""
    headers = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
    if call.request.method == "HEAD":
        return Response(headers={**headers, "content-type": "text/event-stream"})
    return StreamingResponse(_events(call), headers=headers, media_type="text/event-stream")


def run_script(call: Call) -> Response:
    """Refuse: this server has no scripts and runs none."""
    try:
        call.json()
    except ValueError:
        return error("Invalid JSON body", 400)
    return error("Invalid or unknown script. Must be a *.py file inside ui_scripts/.", 400)


def front_page(call: Call) -> Response:
    """Answer a page for people who open the address in a browser."""
    required = "true" if call.site.token else "false"
    return page(
        "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>Ostris - AI Toolkit</title>"
        f'<script type="application/json">{{"authRequired":{required}}}</script></head>'
        f"<body><!-- authRequired:{required} --><h1>Embedded demo server</h1>"
        "<p>This is a stand-in for AI Toolkit's web UI. It has no pages, only its "
        "<code>/api</code>.</p></body></html>"
    )


async def _events(call: Call) -> AsyncIterator[str]:
    first = _MONITOR.sample()
    yield _event("init", {**first, "history": _MONITOR.history()})
    while not call.site.closing.is_set():
        await asyncio.sleep(machine.TICK)
        yield _event("sample", _MONITOR.sample())


def _event(name: str, value: object) -> str:
    return f"event: {name}\ndata: {javascript.dumps(value)}\n\n"
