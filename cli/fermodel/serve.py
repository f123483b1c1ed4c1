"""`fermodel serve`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fercli.options import detector_weights_option, download_detector_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.serve.app import Example

_EXAMPLE_SIDE, _EXAMPLES_DRAWN = 240, 40
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--host", default="127.0.0.1", show_default=True,
    help="Address to listen on; any but this lets other machines in.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
    help="0: any that is free.",
)  # fmt: skip
@click.option(
    "--max-megabytes", type=click.IntRange(1, 2000), default=64, show_default=True,
    help="Largest upload, all its files together.",
)  # fmt: skip
@click.option(
    "--faces/--no-faces", default=True, show_default=True,
    help="Find faces in the pictures, or take every picture for one face.",
)  # fmt: skip
@detector_weights_option
@download_detector_option
def serve(
    run_dir: Path,
    host: str,
    port: int,
    max_megabytes: int,
    faces: bool,
    detector_weights: Path | None,
    download_detector: bool,
) -> None:
    """Open a web page that names the expression on pictures, videos and the webcam.

    The network of the run or bundle RUN answers; programs can ask it too (POST /predict, described
    in /openapi.json). Pictures stay on this machine and are not kept.

    \b
    Example:
      fermodel serve runs/cnn4-001
    """
    from fermodel.quiet import load_keras_for

    load_keras_for(run_dir)
    from fer_models.errors import MissingLibraryError

    try:
        import uvicorn

        from fer_models.serve.app import ServeSettings, create_app
    except ImportError as error:
        raise MissingLibraryError(
            f"the web page needs {error.name}: pip install 'ferkit[serve]'"
        ) from error
    from fer_data.face_weights import download_detector_weights
    from fer_models.picture_faces import PictureSettings
    from fer_models.predict import Predictor

    if download_detector:
        download_detector_weights()
    predictor = Predictor.load(run_dir)
    rule = "find" if faces else "whole"
    cutter = predictor.cutter(PictureSettings(faces=rule, detector_weights=detector_weights))
    hosts = _LOOPBACK if host in {"127.0.0.1", "::1", "localhost"} else ()
    settings = ServeSettings(hosts=hosts, max_bytes=max_megabytes * 1_000_000)
    app = create_app(predictor, cutter, settings, _draw_examples())
    out = Output()
    with _listen(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        out.note(f"Open http://{address}:{listener.getsockname()[1]} in a browser; Ctrl-C ends")
        if not hosts:
            out.warn("other machines can reach it too; there is no password and no encryption")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off"
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.UsageError(
            f"cannot listen on {host} port {port}: {error.strerror}; try --port 0"
        ) from error


def _draw_examples() -> list[Example]:
    """A face of each emotion, generated."""
    import cv2

    from fer_data.synth import SynthSettings, draw_face
    from fer_models.serve.app import Example

    settings = SynthSettings(image_size=_EXAMPLE_SIDE, channels=3, seed=7, balanced=True)
    found: dict[str, Example] = {}
    for index in range(_EXAMPLES_DRAWN):
        face = draw_face(settings, index)
        if face.facts.emotion not in found and face.facts.occlusion == "none":
            png = cv2.imencode(".png", face.image[..., ::-1])[1].tobytes()
            found[face.facts.emotion] = Example(name=face.facts.emotion, png=png)
    return list(found.values())
