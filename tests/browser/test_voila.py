"""The training notebook as a page of Voilà: the forms with their values, the plot, no code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from aitk_nb.notebooks.run import find
from tests.browser.conftest import Photograph
from tests.browser.servers import Theme, voila

(TRAIN,) = (path for path in find() if path.stem == "04_train")
VALUES = {
    "Training Name": "train_a_lora",
    "Dataset": "photos",
    "Trigger Word": "grace",
    "Steps": "60",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Voilà serves a copy of 04_train that trains a little."""
    home = tmp_path_factory.mktemp("voila")
    text = TRAIN.read_text(encoding="utf-8")
    assert text.count("steps: int = 400") == 1
    copy = home / TRAIN.name
    copy.write_text(text.replace("steps: int = 400", "steps: int = 60"), encoding="utf-8")
    with voila(home, copy) as url:
        yield url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_form_shows_its_values(
    chromium: Browser, address: str, theme: Theme, photograph: Photograph
) -> None:
    """Fields hold the notebook's parameters, and buttons reach the kernel."""
    context = chromium.new_context(viewport={"width": 1100, "height": 1000}, color_scheme=theme)
    page = context.new_page()
    errors: list[str] = []
    # Console messages are Voilà's own: it looks for fonts in the network, and says versions differ.
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}?theme={theme}", timeout=60_000)

    for label, value in VALUES.items():
        expect(page.get_by_label(label, exact=True)).to_have_value(value)
    rank = page.get_by_label("Linear Rank", exact=True)
    alpha = page.get_by_label("Linear Alpha", exact=True)
    expect(alpha).to_be_hidden()
    page.get_by_role("button", name="▸ Network").click()
    expect(alpha).to_be_visible()
    expect(rank).to_have_value("16")
    page.get_by_label("Training Name", exact=True).scroll_into_view_if_needed()
    photograph(page, f"voila_form_{theme}")

    picture = page.locator("img").last
    picture.scroll_into_view_if_needed()
    assert 1050 == picture.evaluate("image => image.naturalWidth")
    expect(page.get_by_text("completed", exact=False).first).to_be_visible()
    photograph(page, f"voila_plot_{theme}")
    expect(page.get_by_text("TrainingForm(start")).to_have_count(0)
    assert [] == errors
    context.close()
