"""Run TABE on one exported clip. Started inside its checkout, by its own Python (3.10); its runner takes no flags."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Leave what TABE leaves under ``OUT/default/CUSTOM/vis/<clip>``."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--data", "--out"):
        parser.add_argument(flag, required=True, type=Path)
    parser.add_argument("--clip", required=True)
    args = parser.parse_args()
    sys.path.insert(0, ".")
    from omegaconf import OmegaConf
    from src.runner import _run
    from src.tabe.configs.runtime_config import RuntimeConfig
    from src.tabe.datasets.custom import CustomDataset

    config = OmegaConf.structured(RuntimeConfig())
    config.data.output_root = args.out
    config.data.custom.data_root = args.data
    config.video_names = (args.clip,)
    _run(config, CustomDataset(config.data.custom, args.data), [args.clip])


if __name__ == "__main__":
    main()
