"""The job config that the web UI's form for a new job starts from (0.12.26)."""

from __future__ import annotations

from typing import Any

__all__ = ["default_process"]


def default_process() -> dict[str, Any]:
    """Return what the web UI's form for a new job starts from (0.12.26)."""
    return {
        "type": "diffusion_trainer",
        "sqlite_db_path": "./aitk_db.db",
        "device": "cuda",
        "trigger_word": None,
        "performance_log_every": 10,
        "network": {
            "type": "lora",
            "linear": 32,
            "linear_alpha": 32,
            "conv": 16,
            "conv_alpha": 16,
            "lokr_full_rank": True,
            "lokr_factor": -1,
            "network_kwargs": {"ignore_if_contains": []},
        },
        "save": {
            "dtype": "bf16",
            "save_every": 250,
            "max_step_saves_to_keep": 4,
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
            "arch": "",
            "low_vram": False,
            "model_kwargs": {},
            "compile": False,
        },
        "sample": {
            "sampler": "flowmatch",
            "sample_every": 250,
            "sample_start_step": 0,
            "width": 1024,
            "height": 1024,
            "samples": [],
            "neg": "",
            "seed": 42,
            "walk_seed": True,
            "guidance_scale": 4,
            "sample_steps": 30,
            "num_frames": 1,
            "fps": 1,
        },
    }


def _default_dataset() -> dict[str, Any]:
    return {
        "folder_path": "",
        "mask_path": None,
        "mask_min_value": 0.1,
        "default_caption": "",
        "caption_ext": "txt",
        "caption_dropout_rate": 0.05,
        "cache_latents_to_disk": False,
        "is_reg": False,
        "network_weight": 1,
        "resolution": [512, 768, 1024],
        "controls": [],
        "shrink_video_to_frames": True,
        "num_frames": 1,
        "flip_x": False,
        "flip_y": False,
        "num_repeats": 1,
    }


def _default_train() -> dict[str, Any]:
    return {
        "batch_size": 1,
        # True for the Flex models alone: choosing another model in the form takes it back.
        "bypass_guidance_embedding": False,
        "steps": 3000,
        "gradient_accumulation": 1,
        "train_unet": True,
        "train_text_encoder": False,
        "gradient_checkpointing": True,
        "noise_scheduler": "flowmatch",
        "optimizer": "adamw8bit",
        "timestep_type": "sigmoid",
        "content_or_style": "balanced",
        "optimizer_params": {"weight_decay": 0.0001},
        "unload_text_encoder": False,
        "cache_text_embeddings": False,
        "lr": 0.0001,
        "ema_config": {"use_ema": False, "ema_decay": 0.99},
        "skip_first_sample": False,
        "force_first_sample": False,
        "disable_sampling": False,
        "dtype": "bf16",
        "diff_output_preservation": False,
        "diff_output_preservation_multiplier": 1,
        "diff_output_preservation_class": "person",
        "switch_boundary_every": 1,
        "loss_type": "mse",
    }
