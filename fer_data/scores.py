"""The quality scores by name: what each one is, where it comes from, what its two sides find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fer_data.image import COLORS

_OWN = "ferkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One column of `quality.parquet`.

    Attributes:
        formula: of one picture; x are its grey levels 0 to 255, of a colour picture its luma.
        lowest: no picture scores less.
        highest: no picture scores more.
        low_side: what stands at the low end; empty where nothing is wrong there.
        high_side: what stands at the high end; likewise.
        source: who defined it.
        colors: of the data sets that have it: "gray", "rgb".
        needs_detector: whether it is only measured when it is asked for.
    """

    formula: str
    lowest: float
    highest: float
    low_side: str
    high_side: str
    source: str
    colors: tuple[str, ...] = COLORS
    needs_detector: bool = False


#: Name of the column → what it is, in the order of the columns.
SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "flat_share": Score(
            formula="share of the pixels that have the commonest level",
            lowest=0.0,
            highest=1.0,
            low_side="",
            high_side="blank, placeholders, drawings, a face before black or white",
            source=_OWN,
        ),
        "entropy": Score(
            formula="-sum(p log2 p) of the shares p of the levels, in bits",
            lowest=0.0,
            highest=8.0,
            low_side="blank, placeholders, drawings, very dark",
            high_side="",
            source="Shannon 1948",
        ),
        "brightness": Score(
            formula="mean of x",
            lowest=0.0,
            highest=255.0,
            low_side="dark",
            high_side="overexposed, text on white",
            source=_OWN,
        ),
        "contrast": Score(
            formula="standard deviation of x",
            lowest=0.0,
            highest=127.5,
            low_side="blank, faded",
            high_side="black and white without tones",
            source="root mean square contrast, Peli 1990",
        ),
        "clipping": Score(
            formula="share of the pixels with x = 0 or x = 255",
            lowest=0.0,
            highest=1.0,
            low_side="",
            high_side="blown out, drowned, cut out on black or white",
            source=_OWN,
        ),
        "sharpness": Score(
            formula="variance of the 4-neighbour Laplacian of x, borders left out",
            lowest=0.0,
            highest=1_040_400.0,
            low_side="blank, out of focus, enlarged",
            high_side="noise, halftone, hard edges",
            source="Pech-Pacheco et al. 2000",
        ),
        "edge_share": Score(
            formula="share of the pixels that differ by over 2 levels from the right or lower one",
            lowest=0.0,
            highest=1.0,
            low_side="blank, placeholders, smooth drawings",
            high_side="texture or noise throughout",
            source=_OWN,
        ),
        "relfcs": Score(
            formula="s1 / sum(s), s singular values of: colour, (HW)x3 less its mean; grey, HxW",
            lowest=0.0,
            highest=1.0,
            low_side="",
            high_side="colour: of one tint, grey in colour; grey: blank, stripes",
            source="the relFCs column of AffectNet 96x96, as reconstructed",
        ),
        "relfcs_squared": Score(
            formula="s1^2 / sum(s^2) of the same matrix: the share of its variance or energy",
            lowest=0.0,
            highest=1.0,
            low_side="",
            high_side="as relfcs, more crowded near 1",
            source="explained variance of PCA, Jolliffe 2002",
        ),
        "relfcs_uncentred": Score(
            formula="s1 / sum(s) of the (HW)x3 matrix, its mean colour left in",
            lowest=0.0,
            highest=1.0,
            low_side="",
            high_side="of one tint, pale, all of one colour",
            source="another reading of relFCs",
            colors=("rgb",),
        ),
        "effective_rank": Score(
            formula="exp(-sum(p ln p)), p = s / sum(s) of the HxW picture x",
            lowest=1.0,
            highest=65_536.0,
            low_side="blank, placeholders, text lines, stripes",
            high_side="noise, fine patterns",
            source="Roy and Vetterli 2007",
        ),
        "pca_error": Score(
            formula="mean of ((x - y) / 255)^2, y the picture rebuilt from k components",
            lowest=0.0,
            highest=1.0,
            low_side="no detail: blank, dark, out of focus",
            high_side="unlike the training samples, strong contrast",
            source="PCA; Turk and Pentland 1991, distance from face space",
        ),
        "pca_relative": Score(
            formula="pca_error / variance of x / 255, at most 1",
            lowest=0.0,
            highest=1.0,
            low_side="",
            high_side="no face, a face turned, small or covered",
            source=_OWN,
        ),
        "face_score": Score(
            formula="largest of YuNet's confidences, each times min(1, 1.5 box / picture side)",
            lowest=0.0,
            highest=1.0,
            low_side="no upright face that fills the picture",
            high_side="",
            source="YuNet, Wu et al. 2023",
            needs_detector=True,
        ),
    }
)


def score_names(color: str, *, with_faces: bool) -> tuple[str, ...]:
    """The scores that a data set of this colour gets, in the order of their columns.

    Args:
        color: "gray" or "rgb".
        with_faces: whether a face detector was asked for.

    Example:
        >>> "relfcs_uncentred" in score_names("gray", with_faces=False)
        False
    """
    return tuple(
        name
        for name, score in SCORES.items()
        if color in score.colors and (with_faces or not score.needs_detector)
    )
