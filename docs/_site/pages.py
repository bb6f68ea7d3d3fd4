"""Pages of the site that are not files in ``docs/``: start page, datasets, API; and links that lead out of ``docs/``."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
FROM_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "tests/golden/README.md": "golden.md",
}
NAMES = ("robustvos.api", "robustvos.types", "robustvos.errors")  # of the first API page
LIGHTNING = ("lightning_modules", "datamodules", "callbacks")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the API pages to the navigation."""
    assert config.nav is not None
    config.nav = [*config.nav, {"API": ["api/index.md", *(f"api/{room}.md" for room in rooms())]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and whatever pages link to."""
    sources = {f"docs/{file.src_uri}": file for file in files.documentation_pages()}
    for path, uri in FROM_ROOT.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        sources[path] = File.generated(config, uri, content=text)
    made = {"datasets.md": datasets_page(), "api/index.md": names_page()}
    made |= {f"api/{room}.md": room_page(room) for room in rooms()}
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    linked: set[str] = set()
    for path, file in sources.items():
        text, found = with_links_of_site(file.content_string, path, file.src_uri)
        file.content_string = text
        linked |= found
        if file.src_uri not in files.src_uris:
            files.append(file)
    for path in sorted(linked):
        files.append(File.generated(config, f"files/{path}", abs_src_path=str(ROOT / path)))
    return files


def with_links_of_site(text: str, path: str, uri: str) -> tuple[str, set[str]]:
    """A page with links that hold in the site, and the files of the repository that these need there.

    Args:
        text: Markdown; its links are relative to where it stands.
        path: Where it stands, from the repository's root.
        uri: Where it will be in the site.
    """
    needed: set[str] = set()

    def in_site(link: re.Match[str]) -> str:
        shown, address, anchor = link[1], link[2], link[3] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), address))
        if (ROOT / target).is_dir():
            return shown
        if target.startswith("configs/data/"):
            place, anchor = "datasets.md", f"#{Path(target).stem}"
        elif target in FROM_ROOT:
            place = FROM_ROOT[target]
        elif target.startswith("docs/"):
            place = target.removeprefix("docs/")
        elif (ROOT / target).is_file():
            place = f"files/{target}"
            needed.add(target)
        else:
            return link[0]  # broken; mkdocs says so
        return f"[{shown}]({posixpath.relpath(place, posixpath.dirname(uri) or '.')}{anchor})"

    return _LINK.sub(in_site, text), needed


def rooms() -> list[str]:
    """Packages of the library, and the three Lightning folders."""
    return [*sorted(path.parent.name for path in (ROOT / "robustvos").glob("*/__init__.py")), *LIGHTNING]


def names_page() -> str:
    """The public names, and the records and errors that they deal in."""
    head = "# Public names\n\n`from robustvos import load_system, track, corrupt, evaluate`\n"
    return "\n".join([head, *(f"::: {name}\n" for name in NAMES)])


def room_page(room: str) -> str:
    """Every module of a room, in order of name; a package's own text first."""
    package = room if room in LIGHTNING else f"robustvos.{room}"
    folder = ROOT / package.replace(".", "/")
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(folder.rglob("*.py"))
        if not path.name.startswith("_") and (path.parent / "__init__.py").is_file()  # scripts are no names
    ]
    own = f"::: {package}\n    options: {{members: false, show_root_heading: false, show_root_toc_entry: false}}\n"
    return "\n".join([f"# {package}\n", own, *(f"::: {name}\n" for name in modules)])


def datasets_page() -> str:
    """A section for each file in ``configs/data``."""
    parts = [
        "# Datasets\n",
        "`--data NAME` takes these; their settings are `--data.KEY VALUE`. Made from the files in `configs/data/`.\n",
    ]
    return "\n".join([*parts, *(dataset_section(path) for path in sorted((ROOT / "configs/data").glob("*.yaml")))])


def dataset_section(path: Path) -> str:
    """What the head of a dataset's file says: in words, its source, licence, size and tree; then its settings."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line[1:] for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]]
    prose, fields = _parts_of(head)
    rows = [f"| {name} | {_linked(' '.join(text))} |" for name, text in fields.items() if name != "Tree"]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    tree = ["```text", *(line.rstrip() for line in fields["Tree"]), "```", ""] if "Tree" in fields else []
    settings = ["```yaml", *lines[len(head) :], "```", ""]
    return "\n".join([f"## {path.stem} {{ #{path.stem} }}\n", *prose, "", *table, *tree, *settings])


def _parts_of(head: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Prose with its commands in code blocks, and the fields, each with its lines."""
    prose: list[str] = []
    fields: dict[str, list[str]] = {}
    field, in_code = None, False
    for line in head:
        named = re.match(r" (Source|Licence|Data|Tree)\s+(.*)", line)
        if named:
            field = named[1]
            fields[field] = [named[2]]
        elif field and line.startswith(" " * 6):
            fields[field].append(line.strip() if field != "Tree" else line[11:])
        else:
            field = None
            code = line.startswith("   ")
            if code != in_code:
                prose.append("\n```text" if code else "```\n")
            in_code = code
            prose.append(line.strip() if not code else line[3:])
    return [*prose, *(["```"] if in_code else [])], fields


def _linked(text: str) -> str:
    """A cell of a table, its addresses as links."""
    return re.sub(r"(https?://[^\s;,)]+)", r"<\1>", text.replace("|", "\\|"))
