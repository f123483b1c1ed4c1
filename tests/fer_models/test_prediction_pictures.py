"""Boxes and labels on copies of pictures, and the sheet of nine: what is drawn, and where."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from fer_data.errors import SettingsError
from fer_models.annotated_files import enlarged, write_annotated
from fer_models.face_drawing import CLASS_COLORS, _font, class_color, draw_faces
from fer_models.mirrored_folder import MirroredFolder
from fer_models.picture_files import PictureFile, open_pictures
from fer_models.predict import FacePrediction, PicturePrediction
from fer_models.predict_files import PredictSettings
from fer_models.prediction_grid import PredictionGrid

NAMES = ("Ärger", "радость", "a$b$c")


def predicted(*boxes, name=NAMES[0]):
    rest = (0.7, 0.2, 0.1)
    return PicturePrediction(
        faces=tuple(
            FacePrediction(class_name=name, probability=0.7, probabilities=rest, box=box)
            for box in boxes
        )
    )


def gray(height=240, width=400):
    return np.full((height, width, 3), 128, np.uint8)


def encode(pixels, format_="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_)
    return file.getvalue()


def has_color(pixels, color):
    return bool((np.abs(pixels.astype(int) - ImageColor.getrgb(color)).max(axis=-1) < 3).any())


def test_a_box_has_the_color_of_its_class_and_the_face_is_not_covered():
    pixels = gray()
    before = pixels.copy()
    for number, name in enumerate(NAMES):
        drawn = draw_faces(pixels, predicted((100, 80, 120, 120), name=name).faces, NAMES)
        assert drawn.shape == pixels.shape
        assert has_color(drawn[80:82, 100:220], CLASS_COLORS[number])
        np.testing.assert_array_equal(drawn[90:190, 110:210], pixels[90:190, 110:210])
        assert class_color(name, NAMES) == CLASS_COLORS[number]
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("size", [(9, 9), (20, 500), (300, 30), (1080, 1920)])
@pytest.mark.parametrize(
    "box", [None, (-50, -50, 80, 80), (0, 0, 5000, 5000), (600, 600, 9, 9), (3.2, 4.7, 0, 0)]
)
def test_any_box_can_be_drawn(size, box):
    drawn = draw_faces(gray(*size), predicted(box, box).faces, NAMES)
    assert drawn.shape == (*size, 3)
    assert (drawn != 128).any()


def test_labels_of_neighbours_lie_on_different_places():
    boxes = [(50, 100, 60, 60), (70, 100, 60, 60)]
    one, both = (draw_faces(gray(), predicted(*some).faces, NAMES) for some in (boxes[:1], boxes))
    label = (one[:98] != 128).any(axis=2)
    np.testing.assert_array_equal(both[:98][label], one[:98][label])


def test_letters_of_other_alphabets_are_not_boxes():
    missing = bytes(_font(20).getmask("\U000fffff"))
    assert all(bytes(_font(20).getmask(letter)) != missing for letter in "Äßéрğαč")


def test_small_pictures_are_enlarged_with_their_boxes():
    small = gray(40, 30)
    large, faces = enlarged(small, predicted((1, 2, 3, 4), None).faces)
    assert large.shape == (320, 240, 3)
    assert [face.box for face in faces] == [(8, 16, 24, 32), None]
    assert enlarged(gray(), predicted(None).faces)[0].shape == gray().shape


def test_copies_keep_names_and_folders(tmp_path):
    files = {
        "in/a/x.jpg": "JPEG", "in/a/x.png": "PNG", "in/b/x.jpg": "JPEG", "in/b/é.gif": "GIF",
        "in/b/y.tif": "TIFF", "in/z.webp": "WEBP",
    }  # fmt: skip
    for name, format_ in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(gray(), format_))
    before = {name: (tmp_path / name).read_bytes() for name in files}
    copies = copy_all(tmp_path / "out", tmp_path / "in")
    assert {path.relative_to(tmp_path / "out").as_posix() for path in copies} == {
        "a/x.jpg", "a/x.png", "b/x.jpg", "b/é.gif.png", "b/y.tif", "z.webp",
    }  # fmt: skip
    for path in copies:
        with Image.open(path) as image:
            assert image.size == (400, 240)
            assert image.format == files.get(f"in/{path.relative_to(tmp_path / 'out')}", "PNG")
    assert {name: (tmp_path / name).read_bytes() for name in files} == before
    two = copy_all(tmp_path / "two", tmp_path / "in/a", tmp_path / "in/b/x.jpg")
    assert sorted(p.relative_to(tmp_path / "two").as_posix() for p in two) == [
        "a/x.jpg", "a/x.png", "b/x.jpg",
    ]  # fmt: skip


def copy_all(folder, *paths):
    with open_pictures(paths, left_out=[folder]) as files:
        mirrored, seen = MirroredFolder(folder, files), predicted((9, 9, 99, 99))
        return [write_annotated(mirrored, file, file.read(), seen, NAMES) for file in files]


def test_members_of_an_archive_stay_in_the_folder_and_apart(tmp_path):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in ("../../x.png", "a/x.png", "a/x.bin", "a/x.bin.png"):
            opened.writestr(name, encode(gray()))
    found = copy_all(tmp_path / "out", archive)
    assert [path.relative_to(tmp_path / "out").as_posix() for path in found] == [
        "x.png", "a/x.png", "a/x.bin.png", "a/x.bin-2.png",
    ]  # fmt: skip
    assert all(path.is_file() for path in found)


def test_an_original_is_never_written_over(tmp_path):
    for name in ("in/x.png", "in/seen/x.png", "in/old/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(gray()))
    for folder in (tmp_path, tmp_path / "in", tmp_path / "in" / "seen" / ".."):
        with pytest.raises(SettingsError, match="holds the pictures of"):
            copy_all(folder, tmp_path / "in" / "x.png", tmp_path / "in" / "old")
    # what an earlier call wrote is no input, and is written anew
    assert copy_all(tmp_path / "in" / "seen", tmp_path / "in") == [
        tmp_path / "in" / "seen" / "x.png", tmp_path / "in" / "seen" / "old" / "x.png",
    ]  # fmt: skip


def test_a_picture_without_a_face_is_not_copied(tmp_path):
    file = PictureFile(tmp_path / "x.png", tmp_path)
    folder = MirroredFolder(tmp_path / "out", [file])
    broken = PicturePrediction(reason="empty")
    assert write_annotated(folder, file, b"", broken, NAMES) is None
    assert not (tmp_path / "out").exists()


def shown(grid):
    cells = [*grid._firsts.values(), *grid._spare][:9]
    return [(cell.name, cell.face.box) for cell in cells]


def test_the_sheet_takes_faces_from_all_parts_of_the_files():
    data, grid = encode(gray()), PredictionGrid(90, NAMES)
    for number in range(90):
        found = PicturePrediction(reason="no-face") if number % 10 < 3 else predicted(None)
        grid.take(number, PictureFile(Path(f"{number}.png"), Path()), data, found)
    assert [name for name, _ in shown(grid)] == [f"{number}.png" for number in range(3, 90, 10)]


def test_of_few_pictures_the_sheet_takes_further_faces(tmp_path):
    boxes = [(10 * n, 5, 50, 60) for n in range(6)]
    grid = PredictionGrid(3, NAMES)
    for number, found in enumerate((predicted(*boxes), predicted(None), predicted(*boxes))):
        file = PictureFile(Path(f"{number}.png"), Path())
        named = tuple(replace(face, class_name=NAMES[2]) for face in found.faces)
        grid.take(number, file, encode(gray()), replace(found, faces=named))
    names = [f"{n}.png" for n in (0, 1, 2, 0, 0, 0, 0, 0, 2)]
    assert [name for name, _ in shown(grid)] == names
    assert [box for _, box in shown(grid)][:4] == [boxes[0], None, boxes[0], boxes[1]]
    grid.write(tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as image:
        assert image.width > 1000
        assert has_color(np.asarray(image), CLASS_COLORS[2])


def test_a_sheet_without_faces_says_so_and_needs_a_png_name():
    assert PredictionGrid(0, NAMES).to_png().startswith(b"\x89PNG")
    with pytest.raises(SettingsError, match=r"grid.pdf: expected a name that ends with \.png"):
        PredictSettings(grid=Path("grid.pdf"))
