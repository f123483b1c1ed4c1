"""Tables for papers: LaTeX with the rules of booktabs, every name in them escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fer_models.comparison import TITLES, Comparison
from fer_models.intervals import MEASURED
from fer_models.metrics import Metrics

_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


def escape_latex(text: str) -> str:
    r"""Text that LaTeX sets as it stands.

    Example:
        >>> escape_latex("50% of a_b")
        '50\\% of a\\_b'
    """
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _SPECIAL[found.group()], text)


def classes_latex(metrics: Metrics, caption: str) -> str:
    """Precision, recall, F1 and support of each class, and their mean."""
    rows = [
        [c.class_name, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", f"{c.support:,}"]
        for c in metrics.classes
    ]
    means = (metrics.macro_precision, metrics.macro_recall, metrics.macro_f1)
    last = ["mean", *(f"{mean:.3f}" for mean in means), f"{metrics.num_samples:,}"]
    return _table(["class", "precision", "recall", "F1", "samples"], rows, last, caption)


def comparison_latex(comparison: Comparison) -> str:
    """The table of a comparison, 95% intervals in brackets."""
    rows = [
        [
            row.name,
            str(len(row.seeds)),
            *(
                f"{row.figures[m].value:.3f} [{row.figures[m].low:.3f}, {row.figures[m].high:.3f}]"
                for m in MEASURED
            ),
            f"{row.seconds:,.0f}",
            f"{row.num_parameters:,}",
        ]
        for row in comparison.rows
    ]
    head = ["model", "seeds", *(TITLES[metric] for metric in MEASURED), "seconds", "parameters"]
    caption = (
        f"{comparison.dataset}, {comparison.split}: {comparison.num_samples:,} samples, "
        "95% intervals"
    )
    return _table(head, rows, None, caption)


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], last: Sequence[str] | None, caption: str
) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"    {' & '.join(map(escape_latex, cells))} \\\\"

    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escape_latex(caption)}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"    \toprule",
        line(head),
        r"    \midrule",
        *map(line, rows),
        *([r"    \midrule", line(last)] if last is not None else []),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
