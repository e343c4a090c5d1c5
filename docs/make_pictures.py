"""Draw the loss plot of the README anew: trains on the embedded server."""

from __future__ import annotations

from pathlib import Path

import aitk_nb

HERE = Path(__file__).parent


def main() -> None:
    """Train on the example photos, and save the plot for light and for dark pages."""
    with aitk_nb.connect("demo:") as client:
        job = aitk_nb.example_job(client, "quickstart", steps=600)
        for _ in job.watch(1.0):
            pass
        losses = job.losses()
    aitk_nb.plot_loss(losses, theme="light").save(HERE / "loss.png")
    aitk_nb.plot_loss(losses, theme="dark").save(HERE / "loss-dark.png")


if __name__ == "__main__":
    main()
