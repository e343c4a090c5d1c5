"""The job config of the web UI's form for a new job (0.12.26), without the parameters' fields.

Why it is so: docs/behavior.md#trainer
"""

from __future__ import annotations

from typing import Any


def default_process() -> dict[str, Any]:
    """Return the process of a new job, to which `job_config` adds what the parameters say."""
    return {
        "type": "diffusion_trainer",
        "sqlite_db_path": "./aitk_db.db",
        "device": "cuda",
        "performance_log_every": 10,
        "network": {
            "conv": 16,
            "conv_alpha": 16,
            "lokr_full_rank": True,
            "network_kwargs": {"ignore_if_contains": []},
        },
        "save": {
            "dtype": "bf16",
            "save_format": "diffusers",
            "push_to_hub": False,
        },
        "datasets": [_default_dataset()],
        "train": _default_train(),
        # Without the UI logger there is no loss database, and so no loss at all.
        "logging": {"log_every": 1, "use_ui_logger": True},
        "model": {
            "name_or_path": "",
            "quantize": True,
            "qtype": "qfloat8",
            "quantize_te": True,
            "qtype_te": "qfloat8",
            "model_kwargs": {},
            "compile": False,
        },
        "sample": {
            "sampler": "flowmatch",
            "sample_start_step": 0,
            "neg": "",
            "walk_seed": True,
            "fps": 1,
        },
    }


def _default_dataset() -> dict[str, Any]:
    return {
        "mask_path": None,
        "mask_min_value": 0.1,
        "default_caption": "",
        "caption_ext": "txt",
        "cache_latents_to_disk": False,
        "is_reg": False,
        "network_weight": 1,
        "controls": [],
        "shrink_video_to_frames": True,
        "flip_x": False,
        "flip_y": False,
        "num_repeats": 1,
    }


def _default_train() -> dict[str, Any]:
    return {
        # True for the Flex models alone: choosing another model in the form takes it back.
        "bypass_guidance_embedding": False,
        "train_unet": True,
        "train_text_encoder": False,
        "gradient_checkpointing": True,
        "noise_scheduler": "flowmatch",
        "content_or_style": "balanced",
        "optimizer_params": {"weight_decay": 0.0001},
        "unload_text_encoder": False,
        "cache_text_embeddings": False,
        "ema_config": {"use_ema": False, "ema_decay": 0.99},
        "skip_first_sample": False,
        "force_first_sample": False,
        "diff_output_preservation": False,
        "diff_output_preservation_multiplier": 1,
        "diff_output_preservation_class": "person",
        "switch_boundary_every": 1,
        "loss_type": "mse",
    }
