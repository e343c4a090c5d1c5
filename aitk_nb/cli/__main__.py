"""`python -m aitk_nb.cli`: the same as `aitk-nb`, where that is not on the PATH."""

from aitk_nb.cli import main

main("aitk-nb")
