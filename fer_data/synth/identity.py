"""Persons: what stays the same on all pictures of one face."""

from __future__ import annotations

from dataclasses import dataclass

from fer_data.synth.plan import IDENTITY_STREAM, random_stream

Colour = tuple[float, float, float]

_SKINS: tuple[Colour, ...] = (
    (250, 222, 200),
    (240, 200, 168),
    (222, 172, 134),
    (192, 138, 100),
    (148, 100, 70),
    (108, 72, 52),
)
_HAIRS: tuple[Colour, ...] = (
    (28, 24, 24),
    (58, 40, 30),
    (98, 66, 42),
    (140, 78, 46),
    (196, 158, 96),
    (70, 66, 66),
)
_GREY_HAIR: Colour = (186, 184, 182)
_IRISES: tuple[Colour, ...] = ((62, 40, 26), (88, 60, 34), (70, 100, 130), (74, 104, 72))
_FABRICS: tuple[Colour, ...] = (
    (190, 70, 70),
    (70, 110, 170),
    (90, 150, 110),
    (210, 170, 80),
    (120, 90, 150),
    (60, 64, 80),
    (222, 222, 216),
)
HAIR_STYLES = (
    "short", "side", "fringe", "long", "curly", "bun", "receding", "bald", "headscarf", "beanie",
)  # fmt: skip
_HAIR_STYLE_SHARES = (0.20, 0.15, 0.11, 0.17, 0.11, 0.08, 0.06, 0.05, 0.04, 0.03)
GLASSES = ("none", "round", "square")
BEARDS = ("none", "moustache", "goatee", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One person. Lengths are in face units: the head is about 2 high; y goes down.

    Attributes:
        number: which person this is.
        face_width: half the width of the head.
        jaw: width of the jaw, as a share of the head's.
        eye_spacing: from the middle to the centre of an eye.
        eye_size: size of the eyes, 1 being usual.
        eye_y: height of the eyes.
        eye_tilt: outer corner of the eyes above (-) or below (+) the inner one.
        brow_y: resting height of the brows, added to the usual one.
        brow_slant: inner end of the brows above (-) or below (+) the outer one at rest.
        mouth_corner: corners of the mouth above (-) or below (+) its middle at rest.
        age: 0 (young) to 1 (old): lines and grey hair.
    """

    number: int
    face_width: float
    jaw: float
    eye_spacing: float
    eye_size: float
    eye_y: float
    eye_tilt: float
    brow_y: float
    brow_slant: float
    brow_thickness: float
    nose_length: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    mouth_corner: float
    lip_thickness: float
    age: float
    hair_style: str
    glasses: str
    beard: str
    skin: Colour
    hair: Colour
    iris: Colour
    fabric: Colour

    @property
    def name(self) -> str:
        """The person's name in the ledger."""
        return f"person-{self.number:05d}"


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour `share` of the way from the first to the second, each RGB in [0, 255].

    Example:
        >>> mix((0, 0, 0), (100, 200, 50), 0.5)
        (50.0, 100.0, 25.0)
    """
    a, b = 1.0 - share, share
    return (
        a * first[0] + b * second[0],
        a * first[1] + b * second[1],
        a * first[2] + b * second[2],
    )


def make_identity(seed: int, number: int) -> Identity:
    """Person `number` of `seed`.

    Example:
        >>> make_identity(0, 7) == make_identity(0, 7) != make_identity(1, 7)
        True
    """
    rng = random_stream(seed, IDENTITY_STREAM, number)
    age = float(rng.random() ** 1.6)
    tone = float(rng.random()) * (len(_SKINS) - 1.001)
    skin = mix(_SKINS[int(tone)], _SKINS[int(tone) + 1], tone % 1)
    dark = tone / (len(_SKINS) - 1)
    # Dark skins mostly have dark hair.
    hair = _HAIRS[int(rng.integers(3 if dark > 0.55 else len(_HAIRS)))]
    style = HAIR_STYLES[int(rng.choice(len(HAIR_STYLES), p=_HAIR_STYLE_SHARES))]
    bearded = rng.random() < 0.22 and style in ("short", "side", "receding", "bald", "beanie")
    spread = rng.uniform(-1.0, 1.0, size=15).tolist()
    return Identity(
        number=number,
        face_width=0.80 + 0.07 * spread[0],
        jaw=0.72 + 0.14 * spread[1],
        eye_spacing=0.36 + 0.035 * spread[2],
        eye_size=1.08 + 0.16 * spread[3],
        eye_y=-0.07 + 0.04 * spread[4],
        eye_tilt=0.02 * spread[5],
        brow_y=0.03 * spread[6],
        brow_slant=0.025 * spread[7],
        brow_thickness=0.052 + 0.02 * spread[8],
        nose_length=0.30 + 0.05 * spread[9],
        nose_width=0.115 + 0.03 * spread[10],
        mouth_y=0.50 + 0.035 * spread[11],
        mouth_width=0.285 + 0.035 * spread[12],
        mouth_corner=0.02 * spread[13],
        lip_thickness=0.045 + 0.018 * spread[14],
        age=age,
        hair_style=style,
        glasses=GLASSES[int(rng.choice(3, p=(0.84, 0.08, 0.08)))],
        beard=BEARDS[int(rng.integers(1, 4))] if bearded else "none",
        skin=skin,
        hair=mix(hair, _GREY_HAIR, max(0.0, age * 2.2 - 1.1) * float(rng.random())),
        iris=_IRISES[int(rng.integers(2 if dark > 0.55 else len(_IRISES)))],
        fabric=_FABRICS[int(rng.integers(len(_FABRICS)))],
    )
