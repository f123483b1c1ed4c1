"""Feeds readers of what comes from outside with what nobody wrote, guided by the code it reaches.

    pip install atheris
    python tests/fuzz/fuzz.py TARGET CORPUS -max_total_time=1800

TARGET is pictures, archives, csv, manifests or shards. Seeds are put into the folder CORPUS, which
grows; the other options are libFuzzer's. Anything but an error that ferkit raises on purpose, a
wrong result, ten seconds or two gigabytes is a finding: it is written to `crash-…`, `timeout-…` or
`oom-…` in this folder, and `fuzz.py TARGET crash-…` does it again. What was found stands in
test_findings.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

_LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536"]


def main() -> None:
    import atheris

    sys.path.insert(0, str(Path(__file__).parents[2]))
    with atheris.instrument_imports(include=["fer_data"]):
        from tests.fuzz.targets import TARGETS
    target, corpus, *options = sys.argv[1:]
    seeds, read = TARGETS[target]
    if not Path(corpus).is_file():
        Path(corpus).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (Path(corpus) / f"seed-{number:03d}").write_bytes(seed)
    atheris.Setup([sys.argv[0], corpus, *_LIMITS, *options], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
