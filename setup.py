"""What pyproject.toml cannot say: the packages are found, and ``configs/`` is installed inside ``robustvos``."""

from setuptools import find_packages, setup

FOLDERS = ("robustvos", "lightning_modules", "datamodules", "callbacks")

setup(
    packages=[
        *find_packages(include=[name for folder in FOLDERS for name in (folder, f"{folder}.*")]),
        "robustvos.configs",
    ],
    package_dir={"robustvos.configs": "configs"},
)
