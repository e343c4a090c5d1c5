"""Tests; `pytest` from the root of the repository runs them."""

import os

# Before NumPy is imported: in two processes on two cores the threads of BLAS only wait for cores.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
