"""The part of a training form that shows what a preset would change, before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.training import presets
from aitk_nb.views.forms.field import Looks
from aitk_nb.views.forms.training_fields import architectures, label, preset_texts

_NONE = ("Choose one to see its changes", "")


class PresetPreview:
    """A choice of a preset, the changes that it would make, and a button that makes them."""

    def __init__(self, looks: Looks, take: Callable[[Mapping[str, str]], None]) -> None:
        """Offer all presets; `take` is called with the new texts by field."""
        self._texts: Mapping[str, str] = {}
        self._take = take
        tooltip = "Shows what a preset would change; nothing changes until you use it"
        options = [_NONE, *architectures()]
        self.choice = looks.entry(
            widgets.Dropdown, "Preview preset", options=options, value="", tooltip=tooltip
        )
        self._changes = looks.html()
        self.button = widgets.Button(
            description="Use this preset",
            layout=widgets.Layout(margin=looks.offer.margin, width=looks.offer.width),
        )
        self.widgets = (self.choice, self._changes, self.button)
        self.choice.observe(self._refresh, names="value")
        self.button.on_click(self._on_take)
        self._refresh(None)

    def show(self, texts: Mapping[str, str]) -> None:
        """Compare the preset with these texts of the form's fields from now on."""
        self._texts = texts
        self._refresh(None)

    def close(self) -> None:
        """Let go of the form; its widgets are closed with the others."""
        self.choice.unobserve_all("value")
        self.button.on_click(self._on_take, remove=True)

    def changes(self) -> dict[str, str]:
        """Return what the chosen preset would set in fields that hold something else."""
        if not self.choice.value:
            return {}
        own = preset_texts(str(self.choice.value)).items()
        return {name: text for name, text in own if self._texts.get(name) != text}

    def _on_take(self, _button: object) -> None:
        changes = self.changes()
        self.choice.value = ""
        self._take(changes)

    def _refresh(self, _change: object) -> None:
        arch = str(self.choice.value)
        changes = self.changes()
        self.button.layout.display = "" if changes else "none"
        text = str(self._shown(arch, changes)) if arch else ""
        if self._changes.value != text:
            self._changes.value = text

    def _shown(self, arch: str, changes: Mapping[str, str]) -> _html.Html:
        if not changes:
            return _html.note("No changes: the fields already have all its values.")
        rows = [
            (label(name), _cell(self._texts.get(name, "")), _cell(text))
            for name, text in changes.items()
        ]
        preset = presets.load().get(arch) or presets.Preset(arch, arch, "", {})
        parts = [
            _html.table(("Field", "Now", "With the preset"), rows),
            _html.note("All other fields stay as they are."),
            _html.note(f"Base model: {preset.defaults.get('model.name_or_path', 'unknown')}"),
        ]
        if preset.gate_url:
            parts.append(_html.note(f"Gated: request access at {preset.gate_url}"))
        return _html.join(parts)


def _cell(text: str) -> object:
    return _html.breakable(text) if text else "none"
