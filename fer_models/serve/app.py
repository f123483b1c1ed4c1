"""The routes: the page, what the network is, and predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from fastapi import FastAPI, File, HTTPException, Request, UploadFile
from fastapi.responses import Response

from fer_data.version import ferkit_version
from fer_models.errors import VideoError
from fer_models.picture_faces import SampleCutter
from fer_models.predict import PicturePrediction, Predictor
from fer_models.serve.answers import (
    About,
    MomentAnswer,
    PicturesAnswer,
    Problem,
    VideoAnswer,
    answer_moment,
    answer_picture,
)
from fer_models.serve.guard import Guard
from fer_models.video import predict_video, read_facts, read_frames

_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_COPY_BYTES = 1 << 20
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body cannot be read"},
    403: {"model": Problem, "description": "The request comes from another page"},
    413: {"model": Problem, "description": "The body is too large"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A picture that the page offers to those who have none at hand.

    Attributes:
        name: what it shows.
        png: the picture.
    """

    name: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What is let in.

    Attributes:
        hosts: names the server has, without port; empty: any.
        max_files: pictures in one request.
        max_bytes: of one request, all files together.
        max_seconds: of a video; more are not looked at.
        looks_per_second: how often a video is looked at.
    """

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    max_files: int = 16
    max_bytes: int = 64_000_000
    max_seconds: float = 600.0
    looks_per_second: float = 4.0


def create_app(
    predictor: Predictor, cutter: SampleCutter, settings: ServeSettings, examples: Sequence[Example]
) -> Any:
    """The server, for `uvicorn`.

    Args:
        predictor: that is asked.
        cutter: of the samples in the pictures, as `predictor.cutter` gives it.
        settings: what is let in.
        examples: pictures the page offers.

    Returns:
        An ASGI application.
    """
    thread = ThreadPoolExecutor(1, "predict")  # networks and detectors are for one at a time
    bundle = predictor.bundle

    def run(function: Callable[..., Any], *values: Any) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(thread, function, *values)

    def see(pictures: Sequence[bytes]) -> list[PicturePrediction]:
        return predictor.predict_samples(cutter.cut_files(pictures))

    app = FastAPI(
        title="ferkit",
        version=ferkit_version(),
        description="Names the expression on faces in pictures; keeps none of them.",
        docs_url=None,  # its page fetches scripts from another host
        redoc_url=None,
        max_body_size=settings.max_bytes,
    )
    some_files = File(min_length=1, max_length=settings.max_files)

    @app.post("/predict", responses=_PROBLEMS)
    async def predict(files: list[UploadFile] = some_files) -> PicturesAnswer:
        """Names the expression on each face of some pictures.

        A picture that cannot be used is told with its reason; the others are answered.
        """
        pictures = [await file.read() for file in files]
        seen = await run(see, pictures)
        return PicturesAnswer(
            pictures=[
                answer_picture(file.filename or "", picture, bundle.class_names)
                for file, picture in zip(files, seen, strict=True)
            ]
        )

    @app.post("/predict/video", responses=_PROBLEMS)
    async def predict_one_video(request: Request, file: UploadFile) -> VideoAnswer:
        """Names the expression on each face of a video, several times a second."""
        with NamedTemporaryFile(prefix="ferkit-video-") as copy:
            while data := await file.read(_COPY_BYTES):
                copy.write(data)
            copy.flush()
            await file.close()
            moments: list[MomentAnswer] = []
            try:
                path = Path(copy.name)
                facts = read_facts(path)
                frames = read_frames(path, settings.looks_per_second)
                looks = predict_video(predictor, cutter, frames)
                # a moment at a time: other requests get their turn between them
                while (moment := await run(next, looks, None)) is not None:
                    if moment.time > settings.max_seconds or await request.is_disconnected():
                        break
                    moments.append(answer_moment(moment, bundle.class_names))
            except VideoError as error:
                return _refuse_video(file.filename or "", str(error).partition(": ")[2])
        return VideoAnswer(
            name=file.filename or "",
            width=facts.width,
            height=facts.height,
            seconds=min(facts.seconds or moments[-1].time, settings.max_seconds),
            is_whole=moment is None,
            moments=moments,
            reason=None,
            detail=None,
        )

    @app.get("/about")
    async def about() -> About:
        """Says which network looks at the pictures, and what may be sent to it."""
        return About(
            model=bundle.model,
            dataset=bundle.dataset,
            class_names=list(bundle.class_names),
            image_shape=list(bundle.image_shape),
            finds_faces=cutter.faces is not None,
            max_files=settings.max_files,
            max_bytes=settings.max_bytes,
            max_seconds=settings.max_seconds,
            examples=[example.name for example in examples],
        )

    @app.get("/examples/{name}", include_in_schema=False)
    async def example(name: str) -> Response:
        for each in examples:
            if each.name == name:
                return Response(each.png, media_type="image/png")
        raise HTTPException(404, "there is no such example; /about names them")

    for path, (file_name, kind) in _PAGE.items():
        data = resources.files("fer_models.serve").joinpath("page", file_name).read_bytes()
        app.add_api_route(path, _give(data, kind), methods=["GET", "HEAD"], include_in_schema=False)
    return Guard(app, settings.hosts, settings.max_bytes)


def _refuse_video(name: str, detail: str) -> VideoAnswer:
    return VideoAnswer(
        name=name,
        width=0,
        height=0,
        seconds=0,
        is_whole=False,
        moments=[],
        reason="no-video",
        detail=detail,
    )


def _give(data: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def give() -> Response:
        return Response(data, media_type=kind)

    return give
