"""A feed's bytes as text that is safe to hand to a parser."""

from __future__ import annotations

import codecs
import re

from swarm.adapters.feeds.errors import DoctypeForbidden, Unparsable

#: Encodings in which feeds come. Others (UTF-7 above all) only serve to hide what is written.
_CODECS = re.compile(
    r"utf-?8|us-ascii|ascii|utf-?16(-?[lb]e)?|iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|koi8-r|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|euc-kr"
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,400}\?>")
_FIRST_TAG = re.compile(r"<[A-Za-z_]")
_FORBIDDEN = re.compile(r"<!\s*(?:doctype|entity)", re.IGNORECASE)


def readable(data: bytes, charset: str) -> str:
    """The feed's text without its XML declaration.

    charset: what the server said; "" if nothing. Raises Unparsable or DoctypeForbidden.
    """
    text = _DECLARATION.sub("", decoded(data, charset), count=1)
    first = _FIRST_TAG.search(text)
    if first is None:
        raise Unparsable("the answer holds no element at all")
    # Before the first element nothing excuses it; after it, only being quoted does.
    if _FORBIDDEN.search(text[: first.start()]) or _FORBIDDEN.search(_unquoted(text)):
        raise DoctypeForbidden("the feed declares a document type or an entity")
    return text


def decoded(data: bytes, charset: str) -> str:
    """Bytes as text: by their mark, what the server said, or their own declaration, else UTF-8.

    Raises Unparsable for an encoding that is not read here.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    declared = _DECLARED.match(data[:600])
    name = (charset or (declared[1].decode() if declared else "utf-8")).lower()
    if not _CODECS.fullmatch(name):
        raise Unparsable(f"the feed is encoded as {name[:40]!r}, which is not read")
    try:
        return data.decode(name, "replace")
    except LookupError:
        raise Unparsable(f"the feed is encoded as {name[:40]!r}, which is unknown") from None


def _unquoted(text: str) -> str:
    """The text without comments and CDATA sections, where `<!DOCTYPE` is just a word."""
    kept: list[str] = []
    at = 0
    while (begin := text.find("<!", at)) >= 0:
        kept.append(text[at:begin])
        if text.startswith("<!--", begin):
            end = text.find("-->", begin)
        elif text.startswith("<![CDATA[", begin):
            end = text.find("]]>", begin)
        else:
            kept.append("<!")
            at = begin + 2
            continue
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join((*kept, text[at:]))
