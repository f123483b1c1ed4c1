"""Yaw and roll: of heads that were turned in space, of real faces that were turned or mirrored."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_data.face_pose import NOSE_LENGTH, face_poses, measure_pose

# pupils, tip of the nose, corners of the mouth: x to the right, y down, z to the viewer
HEAD = np.array(
    [(-0.5, 0, 0), (0.5, 0, 0), (0, 0.6, NOSE_LENGTH), (-0.4, 1.1, 0), (0.4, 1.1, 0)], float
)
DEGREES = st.floats(-60, 60)


def seen(yaw, roll, scale=20.0, x=7.0, y=-3.0):
    """The points of a head that is turned and then tilted, seen from far away."""
    yaw, roll = np.radians((yaw, roll))
    turned = HEAD @ [
        [np.cos(yaw), 0, -np.sin(yaw)],
        [0, 1, 0],
        [np.sin(yaw), 0, np.cos(yaw)],
    ]
    flat = turned[:, :2] @ [[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]
    return [tuple(point) for point in scale * flat + (x, y)]


@given(DEGREES, DEGREES, st.floats(1, 500), st.floats(-90, 90), st.floats(-90, 90))
def test_a_head_that_was_turned_is_found_turned_so(yaw, roll, scale, x, y):
    assert measure_pose(seen(yaw, roll, scale, x, y)) == pytest.approx((yaw, roll), abs=1e-3)


@given(DEGREES, DEGREES)
def test_a_mirror_turns_both_signs(yaw, roll):
    left, right, nose, corner, other = [(-x, y) for x, y in seen(yaw, roll)]
    found = measure_pose([right, left, nose, other, corner])
    assert found == pytest.approx((-yaw, -roll), abs=1e-3)


def test_points_on_one_spot_are_no_error():
    assert measure_pose([(3, 3)] * 5) == (0.0, 0.0)


def test_real_faces_turn_as_their_pictures_do(real_data_dir):
    weights = real_data_dir / "yunet_n_640_640.onnx"
    if not weights.is_file():
        pytest.skip(f"no {weights.name} in {real_data_dir}")
    with zipfile.ZipFile(real_data_dir / "fer2013.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))[::500][:60]
        data = [np.frombuffer(archive.read(name), np.uint8) for name in names]
    images = np.stack([cv2.imdecode(each, cv2.IMREAD_GRAYSCALE) for each in data])[..., None]
    poses = face_poses(images, weights)
    assert np.isfinite(poses["yaw"]).mean() > 0.8
    mirrored = face_poses(np.ascontiguousarray(images[:, :, ::-1]), weights)
    for name in ("yaw", "roll"):
        assert np.nanmedian(np.abs(poses[name] + mirrored[name])) < 2
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), -12, 1)  # clockwise
    border = cv2.BORDER_REPLICATE
    turned = [cv2.warpAffine(image, matrix, (48, 48), borderMode=border) for image in images]
    tilted = face_poses(np.stack(turned)[..., None], weights)
    assert np.nanmedian(tilted["roll"] - poses["roll"]) == pytest.approx(12, abs=2)
    blank = face_poses(np.full((2, 48, 48, 1), 90, np.uint8), weights)
    assert np.isnan(blank["yaw"]).all()
    assert np.isnan(blank["roll"]).all()
