"""Datasets on this machine: what a folder, zip or list holds, and what is wrong with it."""

from __future__ import annotations

from aitk_nb.datasets.local.buckets import BucketPlan
from aitk_nb.datasets.local.control_folders import Controls
from aitk_nb.datasets.local.fix import FixReport
from aitk_nb.datasets.local.problems import Code, Problem
from aitk_nb.datasets.local.requirements import Demands
from aitk_nb.datasets.local.scanned import LocalDataset

__all__ = ["BucketPlan", "Code", "Controls", "Demands", "FixReport", "LocalDataset", "Problem"]
