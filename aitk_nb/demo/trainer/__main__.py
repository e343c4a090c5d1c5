"""Runs the embedded trainer: `python -m aitk_nb.demo.trainer JOB_CONFIG`."""

import os
import sys

from aitk_nb.demo.trainer.main import main

if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # An interrupt that came during an import would end the process by signal after all.
    os._exit(code)
