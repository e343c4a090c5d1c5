"""Captions, images and other files that requests name by absolute path, and their removal."""

import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aitk_nb.demo.common.store import resolve_inside
from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.uploads import Form, read_form, write_all
from aitk_nb.demo.webui.wire import Call, answer, empty, error, text

_IMAGE = re.compile(r"\.(jpg|jpeg|png|bmp|gif|tiff|webp|mp4|mp3|wav|flac|ogg)\Z", re.IGNORECASE)
# The real server says this whatever went wrong.
_WRONG_TEXT = "Failed to create dataset"


def any_failure(route: Callable[[Call], Response]) -> Callable[[Call], Response]:
    """Return `route` with everything that is wrong with the body or the disk as one 500."""

    def guarded(call: Call) -> Response:
        try:
            return route(call)
        except (OSError, TypeError, ValueError):
            return error(_WRONG_TEXT, 500)

    return guarded


@any_failure
def write_caption(call: Call) -> Response:
    """Write the caption of an image of a dataset."""
    body = call.fields()
    image, caption = _word(body.get("imgPath")), body.get("caption")
    found = resolve_inside(image, call.store.datasets)
    extension = _caption_extension(call, body)
    target = resolve_inside(call.store.caption_path(image, extension), call.store.datasets)
    if found is None or target is None:
        return error("Invalid image path", 400)
    if not found.exists():
        return error("Image does not exist", 404)
    target.write_bytes(_word(caption).encode("utf-8", "replace"))
    return answer({"success": True})


def read_caption(call: Call) -> Response:
    """Answer the caption of an image as text, empty if there is none."""
    try:
        body = call.json()
    except ValueError:
        return empty(499 if call.has("captions asked for wrongly are a 499") else 500)
    if body is None:
        return empty(500)
    fields = body if isinstance(body, dict) else {}
    try:
        image = _word(fields.get("imgPath"))
        extension = _caption_extension(call, fields)
        target = resolve_inside(call.store.caption_path(image, extension), call.store.datasets)
        if resolve_inside(image, call.store.datasets) is None or target is None:
            return text("Access denied", 403)
        return text(target.read_bytes().decode("utf-8", "replace"))
    except FileNotFoundError:
        return text("")
    except (OSError, TypeError, ValueError):
        return text("Error getting caption", 500)


def read_captions(call: Call) -> Response:
    """Answer the captions of many images; images elsewhere are left out."""
    try:
        body = call.json()
    except ValueError:
        return empty(499)
    if body is None:
        return empty(500)
    fields = body if isinstance(body, dict) else {}
    images = fields.get("imgPaths")
    if not isinstance(images, list):
        return error("imgPaths must be an array", 400)
    extension = _caption_extension(call, fields)
    root = call.store.datasets
    inside = [i for i in images if isinstance(i, str) and resolve_inside(i, root) is not None]
    captions = {i: _caption(call.store.caption_path(i, extension), root) for i in inside}
    return answer({"captions": captions})


@any_failure
def delete_image(call: Call) -> Response:
    """Remove an image and the `.txt` beside it; one that is absent is fine."""
    image = _word(call.fields().get("imgPath"))
    roots = (call.store.datasets, call.store.training)
    found = resolve_inside(image, *roots)
    if found is None:
        return error("Invalid image path", 400)
    if call.has("only images of a dataset are deleted alone") and not _IMAGE.search(image):
        return error("Not an image", 400)
    if not found.exists():
        return answer({"success": True})
    found.unlink()
    caption = resolve_inside(call.store.caption_path(image, "txt"), *roots)
    if caption is not None and caption.exists():
        caption.unlink()
    return answer({"success": True})


async def upload_images(call: Call) -> Response:
    """Store control images under fresh names."""
    try:
        form = await read_form(call.request)
    except Exception:  # noqa: BLE001 (whatever a broken form raises, the answer is the same)
        return error("Error uploading files", 500)
    try:
        return await run_in_threadpool(_store_images, call, form)
    except (OSError, ValueError):
        return error("Error uploading files", 500)
    finally:
        form.close()


def delete_file(call: Call) -> Response:
    """Remove any file of a dataset or job; the path is decoded a second time."""
    try:
        sent = call.fields().get("filePath")
        if not sent or not isinstance(sent, str):
            return text("filePath is required", 400)
        roots = (call.store.datasets, call.store.training)
        found = resolve_inside(javascript.decode_component(sent), *roots)
        if found is None:
            return text("Access denied", 403)
        if not found.exists():
            return text("File not found", 404)
        if not found.is_file():
            return text("Not a file", 400)
        found.unlink()
    except (OSError, TypeError, ValueError):
        return text("Internal Server Error", 500)
    return answer({"success": True})


def _store_images(call: Call, form: Form) -> Response:
    if form.odd:
        return error("Error uploading files", 500)
    if not form.files:
        return error("No files provided", 400)
    folder = call.store.media / "images"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for upload in form.files:
        extension = upload.name.rsplit(".", 1)[-1] or "jpg"
        path = resolve_inside(folder / f"{uuid.uuid4()}.{extension}", folder)
        if path is None or path.parent != folder:
            return error("Error uploading files", 500)
        paths.append(path)
    write_all(list(zip(form.files, paths, strict=True)))
    return answer({"message": "Files uploaded successfully", "files": [str(p) for p in paths]})


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _caption_extension(call: Call, fields: Mapping[str, object]) -> str:
    if not call.has("captions with other endings"):
        return "txt"
    return _word(fields.get("ext") or "txt").lstrip(".").strip() or "txt"


def _caption(path: str, root: Path) -> str:
    target = resolve_inside(path, root)
    try:
        return target.read_bytes().decode("utf-8", "replace") if target else ""
    except OSError:
        return ""
