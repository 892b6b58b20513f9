"""Questions on software manuals, made of their own form: what a setting does, what its default is, which one
does so and so.

An entry is a term with its definition, or a heading with the text under it. Its neighbours speak of the same
and do not answer; nor does the entry itself where it does not say what is asked of it.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from rag.answers.sentences import sentences
from rag.loaders import html as pages
from rag.training.lessons.reading import Group, Item

if TYPE_CHECKING:
    from bs4 import Tag

_HEADINGS = ("h1", "h2", "h3", "h4")
_FURNITURE = "script, style, nav, a.headerlink, a.permalink, .sphinxsidebar, .related, #toc"
_MOST_WORDS = 140
_MOST_OF_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Manual:
    """A package of Debian's, and which of its files are taken: pages of HTML, or of roff."""

    name: str
    package: str
    version: str
    licence: str
    files: tuple[str, ...]


_DOC = "usr/share/doc"
_MAN = "usr/share/man/man[1578]"
MANUALS = (
    Manual("cmake", "cmake-doc", "3.25.1-1", "BSD-3-Clause", (f"{_DOC}/cmake-data/html/*/*.html",)),
    Manual(
        "django",
        "python-django-doc",
        "3:3.2.25-0+deb12u7",
        "BSD-3-Clause",
        tuple(f"{_DOC}/python-django-doc/html/{part}.html" for part in ("*/*", "ref/*/*", "topics/*/*")),
    ),
    Manual("nodejs", "nodejs-doc", "18.20.4+dfsg-1~deb12u3", "MIT", (f"{_DOC}/nodejs/api/*.html",)),
    Manual("bind9", "bind9-doc", "1:9.18.49-1~deb12u3", "MPL-2.0", (f"{_DOC}/bind9-doc/arm/*.html",)),
    Manual("postfix", "postfix-doc", "3.7.11-0+deb12u1", "EPL-2.0", (f"{_DOC}/postfix/html/*.html*",)),
    Manual(
        "erlang",
        "erlang-doc",
        "1:25.2.3+dfsg-1+deb12u4",
        "Apache-2.0",
        (f"{_DOC}/erlang-doc/**/html/*.html",),
    ),
    Manual("systemd", "systemd", "252.39-1~deb12u2", "LGPL-2.1-or-later", (f"{_MAN}/*.gz",)),
    Manual("curl", "curl", "7.88.1-10+deb12u15", "curl", (f"{_MAN}/curl.1.gz",)),
    Manual("mandoc", "mandoc", "1.14.6-1+b1", "ISC", (f"{_MAN}/mandoc*.gz",)),
    Manual("openssh", "openssh-client", "1:9.2p1-2+deb12u10", "BSD", (f"{_MAN}/*ss[hd]*.gz",)),
    Manual("tmux", "tmux", "3.3a-3", "ISC", (f"{_MAN}/tmux.1.gz",)),
)


def lay_out(folder: Path) -> None:
    """FOLDER/<manual>/*.html; nothing is installed. Pages of roff need mandoc."""
    for manual in MANUALS:
        if (folder / manual.name).exists():
            continue
        with tempfile.TemporaryDirectory() as temporary:
            there = Path(temporary)
            subprocess.run(["apt-get", "download", manual.package], cwd=there, check=True)
            subprocess.run(["dpkg-deb", "-x", str(next(there.glob("*.deb"))), "x"], cwd=there, check=True)
            (folder / manual.name).mkdir(parents=True)
            for page in sorted(path for glob in manual.files for path in (there / "x").glob(glob)):
                html = folder / manual.name / f"{page.name.removesuffix('.gz').removesuffix('.html')}.html"
                html.write_bytes(_as_html(page))


def _as_html(page: Path) -> bytes:
    plain = subprocess.run(["zcat", "-f", str(page)], check=True, capture_output=True).stdout
    if ".html" in page.name:
        return plain
    if shutil.which("mandoc") is None:
        raise SystemExit("pages of roff need mandoc: apt-get install mandoc")
    return subprocess.run(["mandoc", "-Thtml"], input=plain, check=False, capture_output=True).stdout


# --- entries ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    manual: str
    path: tuple[str, ...]
    term: str
    text: str
    defined: bool


def read_manuals(folder: Path) -> Iterator[list[Entry]]:
    """The entries of each page, in their order."""
    for page in sorted(folder.glob("*/*.html")):
        if found := list(dict.fromkeys(_entries(page.parent.name, page.read_text("utf-8", "replace")))):
            yield found


def _entries(manual: str, html: str) -> Iterator[Entry]:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "lxml")
    for furniture in soup.select(_FURNITURE):
        furniture.decompose()
    title = re.split(r" — | \| ", _words(soup.title))[0] if soup.title else ""
    above: list[tuple[int, str]] = []
    for tag in soup.find_all([*_HEADINGS, "dt", "div"]):
        if tag.name in _HEADINGS:
            level = int(tag.name[1])
            above = [(n, heading) for n, heading in above if n < level]
            path = [title, *(heading for _, heading in above)]
            above.append((level, _words(tag)))
            term: Tag | None = tag
            body = "".join(str(part) for part in _until_heading(tag))
        else:
            term, definition = _defined(tag)
            if term is None or definition is None:
                continue
            path, body = [title, *(heading for _, heading in above)], definition.decode_contents()
        name, text = _words(term or tag).rstrip("¶#: "), _shortened(pages.read(f"<p></p>{body}").text)
        if 2 <= len(name) <= 90 and len(text.split()) >= 8:
            places = tuple(dict.fromkeys(filter(None, path))) or (manual,)
            yield Entry(manual, places, name, text, tag.name not in _HEADINGS)


def _defined(tag: Tag) -> tuple[Tag | None, Tag | None]:
    """A term of a definition list, or, as mandoc renders some pages, a paragraph above an indented block."""
    if tag.name == "dt":
        return tag, tag.find_next_sibling("dd")
    return (tag.find_previous_sibling("p"), tag) if "Bd-indent" in (tag.get("class") or ()) else (None, None)


def _until_heading(heading: Tag) -> Iterator[object]:
    for part in heading.next_siblings:
        name = getattr(part, "name", None)
        if name in _HEADINGS or (name in ("section", "div") and part.find(_HEADINGS)):  # type: ignore[attr-defined]
            return
        yield part


def _words(tag: Tag) -> str:
    return " ".join(tag.get_text().split())


def _shortened(text: str) -> str:
    """Whole lines, up to so many words."""
    kept: list[str] = []
    for line in text.strip().split("\n"):
        if kept and sum(len(one.split()) for one in (*kept, line)) > _MOST_WORDS:
            break
        kept.append(line)
    return "\n".join(kept).strip()


# --- questions ---------------------------------------------------------------------------------

_WORDING = yaml.safe_load((Path(__file__).parent / "wording.yaml").read_text("utf-8"))
_VERBS = _WORDING["verbs"].split()
# As definitions begin: "Sets the", "Set the".
_BASE: Mapping[str, str] = {
    form: verb for verb in _VERBS for form in (verb, f"{verb}s", f"{verb}es", f"{re.sub('y$', 'ie', verb)}s")
}
_GERUND = re.compile(r"(?:\d[\d.]*\s+)?([A-Z][a-z]+ing)\s+(\S.*)")
_SAYS_LITTLE = re.compile(r"(Added in|New in|Changed in|Available Lang|\||#|Stability|Default|History|-)")


def manual_groups(page: Sequence[Entry], rng: random.Random) -> Iterator[Group]:
    for place in rng.sample(range(len(page)), min(len(page), _MOST_OF_A_PAGE)):
        kinds = [_named, _done, _aspect, _aspect, _headed]
        made = (make(page, place, rng) for make in rng.sample(kinds, len(kinds)))
        yield from [group for group in made if group][:2]


def _named(page: Sequence[Entry], at: int, rng: random.Random) -> Group | None:
    entry, first = page[at], _first(page[at].text)
    name = _name(entry)
    if not name or len(first.split()) < 4 or entry.term in first:
        return None
    return _group(page, at, _said(rng.choice(_WORDING["named"]), entry, rng, name), first, rng)


def _done(page: Sequence[Entry], at: int, rng: random.Random) -> Group | None:
    first = _first(page[at].text)
    words = re.sub(r"[`*]", "", first).split()
    verb = _BASE.get(words[0].lower()) if words else None
    if verb is None or len(words) < 4:
        return None
    ends = r"[.,;:(]\s|\.$|\s(?:which|so that|unless|because)\s"
    does = re.split(ends, " ".join([verb, *words[1:14]]))[0]
    if len(does.split()) < 3 or "](" in does:
        return None
    return _group(page, at, _said(rng.choice(_WORDING["done"]), page[at], rng, does=does), first, rng)


def _aspect(page: Sequence[Entry], at: int, rng: random.Random) -> Group | None:
    entry, name = page[at], _name(page[at])
    if not name:
        return None
    aspect = rng.choice(_WORDING["aspects"][:3] if rng.random() < 0.5 else _WORDING["aspects"])
    says = re.compile(aspect["says"], re.IGNORECASE)
    question = _said(rng.choice(aspect["ways"]), entry, rng, name)
    if says.search(entry.text) is None:
        return _silent(page, at, question, rng) if rng.random() < 0.2 else None
    answer = next((part for part in _parts(entry.text) if says.search(part)), "")
    return _group(page, at, question, answer, rng, says) if answer else None


def _headed(page: Sequence[Entry], at: int, rng: random.Random) -> Group | None:
    entry = page[at]
    if entry.defined or len(entry.text.split()) < 25:
        return None
    if entry.term.endswith("?"):
        return _group(page, at, re.sub(r"^[\d.\s]+", "", entry.term), "", rng)
    gerund = _GERUND.match(entry.term)
    stem = gerund[1][:-3].lower() if gerund else ""
    verb = _WORDING["irregular"].get(f"{stem}ing") or next(
        (_BASE[form] for form in (stem, f"{stem}e", stem[:-1]) if form in _BASE), ""
    )
    if gerund is None or not verb:
        return None
    question = _said(rng.choice(_WORDING["done"][:3]), entry, rng, does=f"{verb} {gerund[2]}")
    return _group(page, at, question, "", rng)


def _silent(page: Sequence[Entry], at: int, question: str, rng: random.Random) -> Group:
    """The very entry, which does not say what is asked of it."""
    items = (
        Item(question, _shown(page, at, at + 1, rng), False, kind="silent"),
        Item(question, _among_others(page, at, rng), False, kind="silent"),
    )
    return Group(page[at].manual, question, items[: rng.randint(1, 2)], page[at].path[0])


def _group(
    page: Sequence[Entry],
    at: int,
    question: str,
    answer: str,
    rng: random.Random,
    says: re.Pattern[str] | None = None,
) -> Group | None:
    entry = page[at]
    items = [
        Item(question, _among_others(page, at, rng), True, answer),
        Item(question, _shown(page, at, at + 1, rng), True, answer),
    ]
    for other in _neighbours(page, at, rng)[:3]:
        items.append(Item(question, _from(page, other, at, rng), False, kind="near"))
    if rng.random() < 0.25 and len(page) > 1:
        # The right heading over another text.
        stranger = rng.choice([i for i in range(len(page)) if i != at])
        text = " > ".join((*entry.path, entry.term)) + "\n" + page[stranger].text
        items.append(Item(question, text, False, kind="removed"))
    if says is not None:
        rest = "\n".join(part for part in _parts(entry.text) if not says.search(part))
        if len(rest.split()) >= 8:
            items.append(Item(question, _entry(entry, rest, rng), False, kind="removed"))
    return Group(entry.manual, question, tuple(items), entry.path[0]) if len(items) > 2 else None


def _neighbours(page: Sequence[Entry], at: int, rng: random.Random) -> list[int]:
    """First one that names the term without defining it; then those around."""
    own, name = page[at], _name(page[at])
    others = [i for i, one in enumerate(page) if own.text[:60] not in one.text and one.term != own.term]
    near = [i for i in others if abs(i - at) < 5 and own.term not in page[i].path]
    near = [i for i in near if page[i].term not in own.path]
    speak = [i for i in others if name and i not in near and name in page[i].text]
    return rng.sample(speak, min(1, len(speak))) + rng.sample(near, len(near))


def _among_others(page: Sequence[Entry], at: int, rng: random.Random) -> str:
    """The entry between its neighbours, as a passage holds several."""
    entry, first, last = page[at], at, at + 1
    room = (rng.randint(60, 150) if rng.random() < 0.6 else 0) - len(entry.text.split())
    while entry.defined and room > 0:
        before = rng.random() < 0.5
        other = first - 1 if before else last
        if not (0 <= other < len(page)) or page[other].path != entry.path or not page[other].defined:
            break
        room -= len(page[other].text.split()) + 3
        first, last = (other, last) if before else (first, other + 1)
    return _shown(page, first, last, rng)


def _from(page: Sequence[Entry], first: int, barred: int, rng: random.Random) -> str:
    entry, last = page[first], first + 1
    room = rng.randint(20, 140) - len(entry.text.split())
    while entry.defined and room > 0 and last < len(page) and last != barred:
        if page[last].path != entry.path:
            break
        room -= len(page[last].text.split()) + 3
        last += 1
    return _shown(page, first, last, rng)


def _shown(page: Sequence[Entry], first: int, last: int, rng: random.Random) -> str:
    if last - first == 1:
        return _entry(page[first], page[first].text, rng)
    way = rng.randrange(3)
    above = " > ".join(page[first].path) + "\n" if rng.random() < 0.8 else ""
    return above + "\n\n".join(_listed(one, one.text, way) for one in page[first:last])


def _entry(entry: Entry, text: str, rng: random.Random) -> str:
    if not entry.defined or rng.random() < 0.3:
        if rng.random() < 0.3:
            return f"{' > '.join(entry.path)}\n## {entry.term}\n\n{text}"
        return f"{' > '.join((*entry.path, entry.term))}\n{text}"
    above = " > ".join(entry.path) + "\n" if rng.random() < 0.8 else ""
    return above + _listed(entry, text, rng.randrange(3))


def _listed(entry: Entry, text: str, way: int) -> str:
    return (f"{entry.term}: {text}", f"{entry.term}\n\n:   {text}", f"`{entry.term}`: {text}")[way]


def _name(entry: Entry) -> str:
    """What one would call it: without its arguments; empty for a heading that is no name."""
    if not entry.defined and re.fullmatch(r"[\d.\s]*[A-Z]?[a-z]+(?:[- ][A-Za-z]+)*", entry.term):
        return ""
    bare = re.sub(r"^(?:option|class|function|Class:|Event:)\s+", "", entry.term)
    parts = [re.sub(r"[\[(<=].*", "", part).strip(" `'\"’‘,") for part in re.split(r",\s|\s\|\s", bare)]
    firsts = [part.split(" ")[0] for part in parts if part]
    good = [part for part in firsts if len(part) > 1 and re.fullmatch(r"[-\w.$:@/*+%]+", part)]
    if not good or (len(bare.split()) > 1 and not re.search(r"[-_(<\[=.]|[a-z][A-Z]|,", bare)):
        return ""
    return max(good, key=len) if good[0].startswith("-") else good[0]


def _said(way: str, entry: Entry, rng: random.Random, name: str = "", does: str = "") -> str:
    kinds = ("option", "directive", "parameter", "command")
    kind = rng.choice(kinds) if not name else "option" if name.startswith("-") else "setting"
    return way.format(term=name, does=does, kind=kind, manual=entry.manual)


def _first(text: str) -> str:
    parts = _parts(text)
    telling = [part for part in parts if not _SAYS_LITTLE.match(part) and "](http" not in part]
    return next(iter(telling or parts), "")


def _parts(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]
