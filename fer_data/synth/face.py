"""One face: what it shows, and its picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.synth.action_units import draw_action_units, draw_intensity
from fer_data.synth.features import draw_features
from fer_data.synth.geometry import make_geometry
from fer_data.synth.head import draw_behind, draw_glasses, draw_hair, draw_head
from fer_data.synth.identity import Identity, make_identity
from fer_data.synth.plan import (
    FACE_STREAM,
    SynthSettings,
    emotion_of,
    identity_of,
    random_stream,
    split_of,
)
from fer_data.synth.scene import (
    Light,
    add_occlusion,
    draw_light,
    draw_occlusion,
    draw_pose,
    expose,
    paint_background,
)
from fer_data.synth.sketch import Pose, Sketch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceFacts:
    """All that is true of a face, before it is drawn.

    Attributes:
        emotion: the emotion shown.
        intensity: how strongly, 0 (neutral) to 1.
        split: train or test, or "" without splits.
        action_units: float64 array of shape (2, 44): intensity in [0, 1], left and right.
        occlusion: what is in the way: none, hand, hair, scarf or bar.
        gaze: where the eyes look, right and down, each in [-1, 1].
        scene_seed: seed of background, occlusion and noise.
    """

    index: int
    emotion: str
    intensity: float
    split: str
    identity: Identity
    action_units: NDArray[np.float64]
    pose: Pose
    light: Light
    occlusion: str
    gaze: tuple[float, float]
    scene_seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """A drawn face.

    Attributes:
        image: uint8 array of shape (height, width, channels); RGB where there are three.
        facts: all that is true of it.
    """

    image: NDArray[np.uint8]
    facts: FaceFacts

    @property
    def emotion(self) -> str:
        """The emotion shown."""
        return self.facts.emotion

    @property
    def intensity(self) -> float:
        """How strongly it is shown, 0 (neutral) to 1."""
        return self.facts.intensity


def describe_face(settings: SynthSettings, index: int) -> FaceFacts:
    """The facts of face `index`: a pure function of seed, classes and index.

    Example:
        >>> facts = describe_face(SynthSettings(), 3)
        >>> facts.emotion, facts.identity.name
        ('happiness', 'person-00002')
    """
    rng = random_stream(settings.seed, FACE_STREAM, index)
    number = identity_of(index)
    emotion = emotion_of(settings, index)
    intensity = draw_intensity(emotion, rng)
    gaze = rng.normal(0.0, 0.35, size=2).clip(-1.0, 1.0).tolist()
    return FaceFacts(
        index=index,
        emotion=emotion,
        intensity=intensity,
        split=split_of(settings, index),
        identity=make_identity(settings.seed, number),
        action_units=draw_action_units(emotion, intensity, rng),
        pose=draw_pose(rng),
        light=draw_light(rng),
        occlusion=draw_occlusion(rng),
        gaze=(gaze[0], gaze[1]),
        scene_seed=int(rng.integers(2**63)),
    )


def draw_face(settings: SynthSettings, index: int) -> Face:
    """Face `index`, drawn: a pure function of the settings and the index.

    Args:
        settings: seed, size, colour and classes.
        index: which face, from 0 on; may be beyond `settings.num_samples`.

    Example:
        >>> draw_face(SynthSettings(channels=3), 0).image.shape
        (48, 48, 3)
    """
    facts = describe_face(settings, index)
    image = render(facts, settings.image_size, settings.channels)
    return Face(image=image, facts=facts)


def render(facts: FaceFacts, image_size: int, channels: int) -> NDArray[np.uint8]:
    """The picture of a face.

    Returns:
        uint8 array of shape (image_size, image_size, channels).
    """
    rng = np.random.Generator(np.random.PCG64(facts.scene_seed))
    # Drawn larger, then averaged down: that is the anti-aliasing.
    factor = 4 if image_size <= 64 else 3 if image_size <= 128 else 2
    side = image_size * factor
    canvas = np.empty((side, side) if channels == 1 else (side, side, 3), np.uint8)
    paint_background(canvas, rng)
    identity = facts.identity
    geometry = make_geometry(identity, facts.action_units)
    sketch = Sketch()
    draw_behind(sketch, identity)
    draw_head(sketch, identity, geometry)
    draw_features(sketch, identity, geometry, facts.gaze)
    draw_glasses(sketch, identity)
    draw_hair(sketch, identity)
    add_occlusion(sketch, identity, geometry, facts.occlusion, rng)
    sketch.rasterise(canvas, facts.pose)
    small = cv2.resize(canvas, (image_size, image_size), interpolation=cv2.INTER_AREA)
    exposed = expose(np.asarray(small, dtype=np.uint8), facts.light, rng)
    return exposed.reshape(image_size, image_size, channels)  # (H, W) or (H, W, 3) -> (H, W, C)
