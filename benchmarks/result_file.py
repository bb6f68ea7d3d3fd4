"""Where a benchmark leaves its figures, and what it says of the machine."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "torch", "opencv-python-headless", "pillow", "sam2", "albumentations", "imgaug", "davis2017")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, GPU, Python, and versions of what is compared; None for a package that is not installed."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
    }


def write_result(path: Path, options: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Write the figures of one run as JSON, and say where."""
    settings = {name: value if isinstance(value, (int, float, bool)) else str(value) for name, value in options.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": describe_machine(), "options": settings, **figures}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"figures: {path}")


def say_gpu_rows(device: torch.device, *rows: str) -> None:
    """Name what is to be reached on a GPU alone and was not measured, so that no row is missing without a word."""
    if device.type == "cpu":
        for row in rows:
            print(f"on a GPU, {row}: not measured, no GPU")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
