"""The text that a browser would show of a piece of HTML, in one pass and linear time.

Own code, because `html.parser` of the oldest supported Python needs 75 s for 64 KiB of `<a `:
one hostile feed entry would stop the whole program. Where HTML is broken, this errs on the side
of hiding: what a browser might not show is not shown.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

MAX_DEPTH = 500  #: open elements inside a hidden one; deeper nesting is an attack, not a text

_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)((?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+)>")
_KIND = re.compile(r"<(?:!doctype|\?xml)\s[^>]*+>\s*+", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([^\s=/>\"']++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++)))?")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"}
    | {"source", "track", "wbr"}
)
# Their content is no markup: it ends at the closing tag and nowhere else.
_RAW = frozenset({"script", "style", "title", "iframe", "noembed", "noframes", "textarea", "xmp"})
_RAW_SHOWN = frozenset({"textarea", "xmp"})
_UNSEEN = frozenset({"template", "object", "datalist", "audio", "video", "canvas"})
# Ordinary pages have these, so their removal is no reason for suspicion.
_SILENT = frozenset({"noscript", "svg", "head", "select"})
_BLOCK = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption"}
    | {"figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li"}
    | {"main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"}
)
_HIDING_CLASS = re.compile(
    r"(?:^|\s)(?:hidden|d-none|invisible|sr-only|visually-hidden|screen-reader-text)(?:\s|$)"
)
_HIDING_STYLE = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|opacity:0*\.?0+(?:%|;|!|$)"
    r"|font-size:0*\.?[01]?(?:px|pt|em|rem|%)?(?:;|!|$)"
    r"|(?:max-)?(?:height|width):0(?:px|em|%)?(?:;|!|$)"
    r"|(?:left|top|right|bottom|text-indent|margin-left|margin-top):-\d{3,}"
    r"|clip:rect\(0|clip-path:inset\((?:50|100)%|transform:scale\(0"
    r"|color:(?:transparent|rgba\([^)]*,0(?:\.0+)?\))"
)
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_GROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")


class _Hiding(Enum):
    SUSPICIOUS = "suspicious"  #: somebody chose to hide text from people
    ORDINARY = "ordinary"  #: accessibility text, fallbacks and the like


@dataclass(slots=True)
class Shown:
    """What is visible, and what was not.

    text:     visible text; block elements begin a new line.
    comments: the text of each comment, in any of the spellings that a browser takes for one.
    hidden:   text that somebody hid on purpose, and unfinished tags.
    """

    text: str = ""
    comments: list[str] = field(default_factory=list)
    hidden: str = ""


def visible_text(source: str) -> Shown:
    """Split HTML into what is shown and what is not. Cost: linear in `source`."""
    scan = _Scan(source)
    while scan.at < len(source):
        scan.step()
    return Shown(html.unescape("".join(scan.kept)), scan.comments, " ".join(scan.hidden))


class _Scan:
    """One pass over the source; `inside` holds the open elements of the hidden one we are in."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.first = len(source) - len(source.lstrip())  #: where nothing but space was before
        self.kept: list[str] = []
        self.comments: list[str] = []
        self.hidden: list[str] = []
        self.inside: list[str] = []
        self.hiding: _Hiding | None = None
        self.open: Counter[str] = Counter()

    def step(self) -> None:
        """Take the text up to the next `<`, then what begins there."""
        mark = self.source.find("<", self.at)
        if mark == -1:
            self._say(self.source[self.at :])
            self.at = len(self.source)
            return
        self._say(self.source[self.at : mark])
        self.at = mark
        if self.source.startswith("<!--", mark):
            self._comment()
        elif self.source.startswith(("<!", "<?"), mark):
            self._declaration()
        elif tag := _TAG.match(self.source, mark):
            self.at = tag.end()
            self._tag(closing=bool(tag[1]), name=tag[2].lower(), attributes=tag[3])
        elif self.source[mark + 1 : mark + 2].isalpha() or self.source.startswith("</", mark):
            # An unfinished tag hides everything after it in a browser; and stopping here keeps
            # the scan linear, because every later `<` would search for the same missing end.
            self.hidden.append(self.source[mark:])
            self.at = len(self.source)
        else:
            self._say("<")
            self.at = mark + 1

    def _say(self, text: str) -> None:
        if self.hiding is None:
            self.kept.append(text)
        elif self.hiding is _Hiding.SUSPICIOUS:
            self.hidden.append(text)

    def _comment(self) -> None:
        end = self.source.find("-->", self.at + 4)
        stop = end if end != -1 else len(self.source)
        self.comments.append(self.source[self.at + 4 : stop])
        self.at = stop + 3

    def _declaration(self) -> None:
        """A browser takes `<!` and `<?` for comments; at the very beginning they tell the kind."""
        if kind := self.at == self.first and _KIND.match(self.source, self.at):
            self.at = self.first = kind.end()
            return
        end = self.source.find(">", self.at)
        stop = end if end != -1 else len(self.source)
        self.comments.append(self.source[self.at + 2 : stop])
        self.at = stop + 1

    def _tag(self, *, closing: bool, name: str, attributes: str) -> None:
        if closing:
            self._close(name)
        elif name in _RAW:
            self._take_raw(name)
        elif name not in _VOID and (self.inside or _hiding(name, attributes)):
            self._open_hidden(name, _hiding(name, attributes))
        if name in _BLOCK and not self.inside:
            self.kept.append("\n- " if name == "li" and not closing else "\n")

    def _take_raw(self, name: str) -> None:
        end = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(self.source, self.at)
        stop = end.start() if end else len(self.source)
        if name in _RAW_SHOWN:
            self._say(self.source[self.at : stop])
        self.at = stop

    def _open_hidden(self, name: str, hiding: _Hiding | None) -> None:
        if len(self.inside) >= MAX_DEPTH:
            self.hidden.append(self.source[self.at :])
            self.at = len(self.source)
            return
        if hiding is _Hiding.SUSPICIOUS or self.hiding is None:
            self.hiding = hiding
        self.inside.append(name)
        self.open[name] += 1

    def _close(self, name: str) -> None:
        if not self.open[name]:
            return
        while (last := self.inside.pop()) != name:
            self.open[last] -= 1
        self.open[name] -= 1
        if not self.inside:
            self.hiding = None


def _hiding(name: str, attributes: str) -> _Hiding | None:
    if name in _SILENT:
        return _Hiding.ORDINARY
    if name in _UNSEEN:
        return _Hiding.SUSPICIOUS
    for match in _ATTRIBUTE.finditer(attributes):
        attribute = match[1].lower()
        value = html.unescape(match[2] or match[3] or match[4] or "").lower()
        if attribute == "hidden" or (
            attribute == "style" and _hiding_style("".join(value.split()))
        ):
            return _Hiding.SUSPICIOUS
        if attribute == "class" and _HIDING_CLASS.search(value):
            return _Hiding.ORDINARY
    return None


def _hiding_style(style: str) -> bool:
    if _HIDING_STYLE.search(style):
        return True
    colour, ground = _COLOUR.search(style), _GROUND.search(style)
    return bool(colour and ground and colour[1] == ground[1])
