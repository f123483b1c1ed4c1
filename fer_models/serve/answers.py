"""What the server answers, as its OpenAPI schema tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from fer_models.predict import FacePrediction, PicturePrediction
from fer_models.video import Moment

Share = Annotated[float, Field(ge=0, le=1)]


class Box(BaseModel):
    """A place in the upright picture at its full size, in pixels; may reach beyond its edges."""

    left: float
    top: float
    width: float
    height: float


class FaceAnswer(BaseModel):
    """What was seen in one face."""

    class_name: str = Field(description="The most probable class.")
    probability: Share
    probabilities: dict[str, Share] = Field(description="Of each class, by its name.")
    box: Box | None = Field(description="null: the whole picture was taken for a face.")
    confidence: Share | None = Field(
        description="Of the detector, that it is a face; null where it gives none."
    )


class PictureAnswer(BaseModel):
    """What was seen in one picture."""

    name: str = Field(description="Of the file, as it was sent.")
    faces: list[FaceAnswer] = Field(description="The largest first.")
    reason: str | None = Field(description="Why nothing could be seen; null where it could.")
    detail: str | None = Field(description="The reason in words.")


class PicturesAnswer(BaseModel):
    """What was seen in the pictures of one request, in its order."""

    pictures: list[PictureAnswer]


class PersonAnswer(FaceAnswer):
    """What was seen in one face of a video."""

    person: int = Field(ge=1, description="The same number is the same person, from 1 on.")


class MomentAnswer(BaseModel):
    """What was seen at one moment of a video."""

    frame: int = Field(ge=0, description="From 0 on.")
    time: float = Field(ge=0, description="In seconds.")
    faces: list[PersonAnswer] = Field(description="The largest first.")


class VideoAnswer(BaseModel):
    """What was seen in a video."""

    name: str = Field(description="Of the file, as it was sent.")
    width: int = Field(ge=0, description="Of a frame as it is shown, in pixels.")
    height: int = Field(ge=0)
    seconds: float = Field(ge=0, description="That were looked at.")
    is_whole: bool = Field(description="false: it is longer than what is looked at.")
    moments: list[MomentAnswer]
    reason: str | None = Field(description="Why nothing could be seen; null where it could.")
    detail: str | None = Field(description="The reason in words.")


class About(BaseModel):
    """The network that looks at the pictures, and what may be sent to it."""

    model: str
    dataset: str = Field(description="That it learned from.")
    class_names: list[str]
    image_shape: list[int] = Field(description="Height, width and channels of what it takes.")
    finds_faces: bool = Field(description="false: every picture is taken for one face.")
    max_files: int = Field(description="In one request.")
    max_bytes: int = Field(description="Of one request, all files together.")
    max_seconds: float = Field(description="Of a video; more are not looked at.")
    examples: list[str] = Field(description="Names of pictures to try, below `/examples/`.")


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


def answer_picture(name: str, seen: PicturePrediction, class_names: Sequence[str]) -> PictureAnswer:
    """The answer for one picture."""
    return PictureAnswer(
        name=name,
        faces=[FaceAnswer(**_tell(face, class_names)) for face in seen.faces],
        reason=seen.reason,
        detail=seen.detail,
    )


def answer_moment(moment: Moment, class_names: Sequence[str]) -> MomentAnswer:
    """The answer for one moment of a video."""
    pairs = zip(moment.people, moment.faces, strict=True)
    faces = [PersonAnswer(person=person, **_tell(face, class_names)) for person, face in pairs]
    return MomentAnswer(frame=moment.frame, time=moment.time, faces=faces)


def _tell(face: FacePrediction, class_names: Sequence[str]) -> dict[str, Any]:
    box = None
    if face.box is not None:
        left, top, width, height = face.box
        box = Box(left=left, top=top, width=width, height=height)
    return {
        "class_name": face.class_name,
        "probability": face.probability,
        "probabilities": dict(zip(class_names, face.probabilities, strict=True)),
        "box": box,
        "confidence": face.confidence,
    }
