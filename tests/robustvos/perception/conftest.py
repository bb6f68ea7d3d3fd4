"""No network, and no weights that this machine happens to have."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    """No test reaches the Hub, or finds weights that this machine happens to have."""
    import huggingface_hub

    def refused(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no network in tests")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args, **kwargs: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refused)
    monkeypatch.delenv("ROBUSTVOS_WEIGHTS", raising=False)
    monkeypatch.delenv("ROBUSTVOS_COTRACKER", raising=False)
    monkeypatch.chdir(tmp_path)
