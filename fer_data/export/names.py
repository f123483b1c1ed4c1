"""Keys -> file names that every file system takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')  # by Windows, or no text
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_PICTURE = re.compile(r"\.(png|jpe?g|bmp|gif|tiff?|webp|pgm|ppm|pnm|npy)(?=#\d+$|$)", re.IGNORECASE)
_MAX_BYTES = 150  # of 255 that most systems take: room for a mark, an ending, and other forms


def safe_name(text: str) -> str:
    """A name like `text` that Windows, macOS and Linux all take, and that nobody hides.

    Example:
        >>> safe_name("a<b>: Ärger?"), safe_name("con"), safe_name(".hidden. ")
        ('a_b__ Ärger_', '_con', '_hidden')
    """
    name = _REFUSED.sub("_", unicodedata.normalize("NFC", text))
    name = name.encode()[:_MAX_BYTES].decode(errors="ignore").strip().rstrip(". ")
    if name.startswith((".", "~")):
        name = "_" + name[1:]
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


def picture_stem(key: str) -> str:
    """What a sample's file is called, without ending: the last part of its key.

    Example:
        >>> picture_stem("fer2013/train/disgust/fer0000299.png#3")
        'fer0000299#3'
    """
    return safe_name(_PICTURE.sub("", key.rpartition("/")[2]))


class UniqueNames:
    """Gives out each name once, for systems that do not tell "A" from "a" too.

    Example:
        >>> names = UniqueNames()
        >>> names.take("a.png", "x/a.png"), names.take("A.png", "y/A.png")
        ('a.png', 'A.png~32c9e021')
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str, key: str) -> str:
        """The name itself where nobody has it yet, else with a mark made of the key."""
        digest, length, free = hashlib.sha256(key.encode(errors="replace")).hexdigest(), 8, name
        while _folded(free) in self._taken:
            free, length = f"{name}~{digest[:length]}", length + 8
            if length > len(digest):
                digest += hashlib.sha256(digest.encode()).hexdigest()
        self._taken.add(_folded(free))
        return free


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
