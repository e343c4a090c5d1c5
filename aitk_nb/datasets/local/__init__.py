"""Datasets on this machine: what a folder, zip or list holds, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.datasets.local.buckets import BucketPlan as BucketPlan
    from aitk_nb.datasets.local.control_folders import Controls as Controls
    from aitk_nb.datasets.local.fix import FixReport as FixReport
    from aitk_nb.datasets.local.problems import Code as Code
    from aitk_nb.datasets.local.problems import Problem as Problem
    from aitk_nb.datasets.local.requirements import Demands as Demands
    from aitk_nb.datasets.local.scanned import LocalDataset as LocalDataset

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "BucketPlan": "buckets",
        "Code": "problems",
        "Controls": "control_folders",
        "Demands": "requirements",
        "FixReport": "fix",
        "LocalDataset": "scanned",
        "Problem": "problems",
    },
)
