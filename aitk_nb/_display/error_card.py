"""An error as a card on a page, and as a few lines elsewhere; the traceback on request."""

import re
import traceback
from collections.abc import Iterator

from aitk_nb._display import html, session

_EMPTY = "\x1b[0m"
"""A traceback of which nothing is seen: without one, a page shows the message once more in red."""
_HIDDEN = '[data-mime-type="application/vnd.jupyter.stderr"]:has(>pre:empty){display:none}'
"""What hides the red line that JupyterLab draws around nothing."""
_SENTENCE = re.compile(r"(.+?[.?!])\s+(?=[A-Z'(])(.+)", re.DOTALL)


def rendered(error: Exception, command: str = "") -> list[str]:
    """Show an error that ends a cell; to be returned by `_render_traceback_`.

    Args:
        error: What ended the cell.
        command: A line that mends it.

    Returns:
        What IPython shows as the traceback: nothing where the card was shown, the message where
        no page is, and all of it after `%xmode Plain` or `%xmode Verbose`.
    """
    shell = session.shell()
    if shell.InteractiveTB.mode != "Context":
        return list(
            shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
        )
    plain = list(_lines(error, command))
    run = session.request_id()
    # IPython calls this once more, to remember the error.
    is_shown = vars(error).get("_shown_in") == run
    if is_shown or not (session.is_attended() or session.is_voila()):
        return plain
    vars(error)["_shown_in"] = run
    page = {"text/plain": "\n".join(plain), "text/html": card(error, command)}
    shell.display_pub.publish(page)
    return [_EMPTY]


def card(error: Exception, command: str = "") -> html.Html:
    """Return the error as a card: what happened, what to do, and its traceback behind a click."""
    happened, advice = parts(error)
    shown = [html.message(html.strong(happened), "error")]
    shown += [html.note(advice)] if advice else []
    shown += [html.code(command)] if command else []
    frames = "\n".join([type(error).__name__, *_frames(error)])
    style = html.Html(f"<style>{_HIDDEN}</style>")
    return html.card([style, *shown, html.details("Traceback", [html.code(frames)])])


def parts(error: Exception) -> tuple[str, str]:
    """Return the first sentence of the message, and the others."""
    text = str(error) or type(error).__name__
    found = _SENTENCE.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _lines(error: Exception, command: str) -> Iterator[str]:
    happened, advice = parts(error)
    yield f"{type(error).__name__}: {happened}"
    yield from filter(None, (advice, command and f"\n    {command}\n"))
    yield "The traceback: %xmode Verbose, and run it again."


def _frames(error: BaseException) -> Iterator[str]:
    """Yield where the error and its causes arose: names and places only.

    What a cause says, and a line of a cell, may hold a secret.
    """
    for frame in traceback.extract_tb(error.__traceback__):
        where = "a cell" if "ipykernel_" in frame.filename else frame.filename
        yield f"  {where}, line {frame.lineno}, in {frame.name}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield f"because of {type(cause).__module__}.{type(cause).__qualname__}"
        yield from _frames(cause)
