"""The training notebook as a page of Voilà: a right token and a button lead to a LoRA, no code."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from aitk_nb.demo import DemoServer
from aitk_nb.notebooks.run import find
from tests.browser.conftest import Photograph
from tests.browser.servers import Theme, voila
from tests.conftest import TOKEN

(TRAIN,) = (path for path in find() if path.stem == "04_train")
VALUES = {
    "Training Name": "train_a_lora",
    "Dataset": "photos",
    "Trigger Word": "grace",
    "Steps": "60",
}
SECONDS = 60_000


def notebook(folder: Path, url: str) -> Path:
    """Return a copy of 04_train that trains a little, on the server at `url`."""
    text = TRAIN.read_text(encoding="utf-8")
    changes = {"steps: int = 400": "steps: int = 60", r"url: str = \"\"": rf"url: str = \"{url}\""}
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    copy = folder / TRAIN.name
    copy.write_text(text, encoding="utf-8")
    return copy


def check(page: Page, token: str, verdict: str) -> None:
    """Type a token into the form, and have it checked."""
    field = page.get_by_label("Token or password", exact=True)
    field.fill(token)
    field.press("Enter")
    page.get_by_role("button", name="Check", exact=True).first.click()
    expect(page.get_by_text(verdict).first).to_be_visible(timeout=SECONDS)


@pytest.mark.journey
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_from_a_wrong_token_to_a_lora(
    chromium: Browser,
    token_server: DemoServer,
    theme: Theme,
    photograph: Photograph,
    tmp_path: Path,
) -> None:
    """The page is alive while its cells wait; nothing starts before the button is pressed."""
    context = chromium.new_context(viewport={"width": 1100, "height": 1000}, color_scheme=theme)
    page = context.new_page()
    errors: list[str] = []
    # Console messages are Voilà's own: it looks for fonts in the network, and says versions differ.
    page.on("pageerror", lambda error: errors.append(str(error)))
    with voila(tmp_path, notebook(tmp_path, token_server.url), progressive=True) as address:
        page.goto(f"{address}?theme={theme}", timeout=SECONDS)
        expect(page.get_by_label("Token or password")).to_be_visible(timeout=SECONDS)
        check(page, "mistyped-token-0815", "rejected")
        check(page, TOKEN, "Connected to")

        button = page.get_by_role("button", name="Start training")
        expect(button).to_be_visible(timeout=SECONDS)
        for label, value in VALUES.items():
            expect(page.get_by_label(label, exact=True)).to_have_value(value)
        alpha = page.get_by_label("Linear Alpha", exact=True)
        expect(alpha).to_be_hidden()
        page.get_by_role("button", name="▸ Network").click()
        expect(alpha).to_be_visible()
        page.get_by_label("Training Name", exact=True).fill(f"voila_{theme}")
        photograph(page, f"voila_form_{theme}")
        expect(page.get_by_text("completed")).to_have_count(0)
        button.click()
        expect(page.get_by_text("completed").first).to_be_visible(timeout=SECONDS)
        expect(page.get_by_text(f"voila_{theme}.safetensors").first).to_be_visible(timeout=SECONDS)
        picture = page.locator("img[alt^='loss/loss']").last
        assert 1050 == picture.evaluate("image => image.naturalWidth")
        photograph(page, f"voila_plot_{theme}")
        expect(page.get_by_text("TrainingForm.of(")).to_have_count(0)
    assert [] == errors
    context.close()


def test_a_page_that_waits_for_its_last_cell_says_what_to_do(
    chromium: Browser, token_server: DemoServer, tmp_path: Path
) -> None:
    """Otherwise it would wait for a button that nobody sees."""
    page = chromium.new_page()
    with voila(tmp_path, notebook(tmp_path, token_server.url)) as address:
        page.goto(address, timeout=2 * SECONDS)
        card = page.get_by_role("alert")
        expect(card).to_contain_text("--progressive_rendering=True", timeout=SECONDS)
    page.close()
