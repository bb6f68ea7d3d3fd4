"""Who may use a page, and what is served."""

from __future__ import annotations

import pytest

from robustvos.errors import UserError
from robustvos.web.guard import Guard
from robustvos.web.serve import Address, Page

pytestmark = pytest.mark.fast


def refusal(token: str | None = None, query: str = "", **headers: str) -> str | None:
    scope = {"headers": [(k.encode(), v.encode()) for k, v in headers.items()], "query_string": query.encode()}
    return Guard(None, token).refusal(scope)


def test_only_this_machine_and_its_own_pages_come_in():
    assert refusal(host="127.0.0.1:8080") is None
    assert refusal(host="[::1]:8080", origin="http://[::1]:8080") is None
    assert "own machine" in refusal(host="evil.example:8080")
    assert "other sites" in refusal(host="127.0.0.1:8080", origin="http://evil.example")


def test_token_is_asked_for_by_address_or_cookie():
    token = "abcdefgh1"
    assert refusal(token, "token=abcdefgh1", host="lab:8080") is None
    assert refusal(token, host="lab:8080", cookie="robustvos_token=abcdefgh1") is None
    assert "token" in refusal(token, "token=other", host="lab:8080")
    assert "token" in refusal(token, host="127.0.0.1:8080")


def test_others_reach_a_page_only_with_a_token():
    assert Address().secured.token is None
    assert len(Address("0.0.0.0").secured.token) >= 32
    assert Address("0.0.0.0", token="mysecret9").secured.token == "mysecret9"
    with pytest.raises(UserError, match="at least 8"):
        Address(token="short")


def test_no_path_leaves_its_folder(tmp_path):
    pytest.importorskip("nicegui", reason="needs the extra 'web'")
    from fastapi.testclient import TestClient

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.css").write_text("a")
    (tmp_path / "in" / ".b.css").write_text("b")
    (tmp_path / "secret.css").write_text("c")
    (tmp_path / "in" / "link.css").symlink_to(tmp_path / "secret.css")
    page = Page("title")
    page.add_folder("/files", tmp_path / "in")
    client = TestClient(page.app)
    assert client.get("/files/a.css").text == "a"
    for name in ("..%2fsecret.css", ".b.css", "link.css", "a.py", "none.css", "%2fetc%2fpasswd", "a%00.css"):
        answer = client.get(f"/files/{name}")
        assert (answer.status_code, answer.json()) == (404, {"error": "there is no such file"}), name
