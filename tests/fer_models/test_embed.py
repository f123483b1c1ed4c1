"""Embedding: what the last layer sees, in a table, in figures and on a page."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
import urllib.parse

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models import session
from fer_models.bundle import find_bundle, read_bundle
from fer_models.embed import EmbedSettings, embed_split
from fer_models.embedder import Embedder
from fer_models.errors import MissingLibraryError, OtherSettingsError
from fer_models.neighbours import find_neighbours, measure_separation
from fer_models.predict import Predictor
from fer_models.projection import METHODS, check_methods, project
from fer_models.report.sprites import make_sprites
from fer_models.settings import TrainSettings
from fer_models.train import train
from tests.fer_models.test_backends import run_python, skip_without
from tests.fer_models.test_zoo_laws import built, draw_samples
from tests.fer_models.tiny_network import build_tiny
from tests.made_shards import make_shards, numbered_samples

NAMES = ("</script><b>", "Ärger & Wut", '"happy" $x$')
SHAPE = (12, 10, 1)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run on shards whose class names are as bad as can be."""
    folder = tmp_path_factory.mktemp("embed")
    splits = {
        split: numbered_samples(count, SHAPE, split=split, num_classes=3, copies=copies)
        for split, count, copies in (("train", 60, 6), ("validation", 30, 0), ("test", 45, 0))
    }
    make_shards(folder / "shards", splits, NAMES, shard_samples=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "build_network", build_tiny)
        train(folder / "shards", folder / "run", TrainSettings(epochs=1, batch_size=16))
    return folder / "run"


def embedder_of(network):
    """The bundle of a network is only asked for its name."""
    return Embedder(None, network)


@pytest.mark.parametrize(
    "name", ["cnn4", "cnn4-gray", "cnn4-sched", "cnn-l2", "dnn", "emosense-4l", "mobilenet"]
)
def test_the_last_layer_makes_probabilities_of_embeddings(name):
    network = built(name)
    pixels, _ = draw_samples(5, (48, 48, 1), 7)
    embeddings, probabilities = embedder_of(network).embed(pixels)
    assert embeddings.dtype == probabilities.dtype == np.float32
    expected = network.predict(pixels, verbose=0)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(np.array(network.layers[-1](embeddings)), expected, atol=1e-5)


def own_networks():
    import keras
    from keras import layers

    pixels = keras.Input((8, 8, 1), dtype="uint8")
    scaled = layers.Rescaling(1 / 255)(pixels)
    flat = layers.Flatten()(scaled)
    body = layers.Dense(6, activation="relu", name="body")(flat)
    logits = layers.Dense(3, name="logits")(body)
    normed = layers.Activation("softmax")(layers.BatchNormalization()(logits))
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, name="hidden"), layers.Dense(3, activation="softmax")]
    )
    maps = layers.Conv2D(3, 1, name="maps")(layers.Conv2D(4, 3)(scaled))
    pooled = layers.Softmax()(layers.GlobalAveragePooling2D()(maps))
    joined = layers.Concatenate()([body, layers.Dense(2)(flat)])
    return {
        "norm and activation behind it": (keras.Model(pixels, normed), "logits", 6),
        "a network in the network": (keras.Model(pixels, inner(body)), inner.layers[-1].name, 5),
        "a convolution": (keras.Model(pixels, pooled), "maps", 6 * 6 * 4),
        "two branches before it": (
            keras.Model(pixels, layers.Dense(3, activation="softmax", name="last")(joined)),
            "last",
            8,
        ),
    }


def test_the_last_layer_of_ones_own_network_is_found():
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    for network, layer, num_values in own_networks().values():
        embedder = embedder_of(network)
        assert embedder.source == f'input of the layer "{layer}"'
        embeddings, probabilities = embedder.embed(images)
        assert embeddings.shape == (4, num_values)
        np.testing.assert_allclose(probabilities, network.predict(images, verbose=0), atol=1e-6)


def test_a_network_without_a_last_layer_is_one_clear_error():
    import keras
    from keras import layers

    pixels = keras.Input((4, 4, 1), dtype="uint8")
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(pixels))
    heads = [layers.Dense(3, activation="softmax")(flat) for _ in range(2)]
    network = keras.Model(pixels, layers.Average(name="mean_of_two")(heads))
    with pytest.raises(SettingsError, match="come out of mean_of_two"):
        embedder_of(network)
    with pytest.raises(SettingsError, match="expected a last layer"):
        embedder_of(keras.Model(pixels, layers.Softmax()(flat)))


def test_embeddings_come_with_what_predict_says(run_dir):
    samples = read_split(run_dir.parent / "shards", read_index(run_dir.parent / "shards"), "test")
    done = []
    _, probabilities = Embedder.load(run_dir).embed(samples.images, lambda *n: done.append(n))
    expected = Predictor.load(run_dir).predict(samples.images)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert done == [(45, 45)]


def test_the_table_holds_the_split_in_order(run_dir):
    report = embed_split(run_dir, settings=EmbedSettings(pixels=True))
    samples = read_split(run_dir.parent / "shards", read_index(run_dir.parent / "shards"), "test")
    table = pq.read_table(report.table_path)
    assert report.table_path == run_dir / "embeddings" / "test.parquet"
    assert table["key"].to_pylist() == samples.keys.tolist()
    assert table["true"].to_pylist() == [NAMES[label] for label in samples.labels]
    assert set(table["split"].to_pylist()) == {"test"}
    embeddings, probabilities = Embedder.load(run_dir).embed(samples.images)
    assert table["embedding"].type.list_size == embeddings.shape[1]
    found = np.array(table["embedding"].to_pylist(), np.float32)
    np.testing.assert_array_equal(found, embeddings)
    assert table["predicted"].to_pylist() == [NAMES[row] for row in probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(table["probability"].to_numpy(), probabilities.max(axis=1))
    told = json.loads(table.schema.metadata[b"ferkit"])
    assert told["projections"] == {"pca": "PCA of network", "pca_pixels": "PCA of pixels"}
    assert told["embedding"].startswith("input of the layer")
    for name, values in (("pca", embeddings), ("pca_pixels", samples.images.reshape(45, -1))):
        points = np.stack([table[f"{name}_x"].to_numpy(), table[f"{name}_y"].to_numpy()], axis=1)
        expected = PCA(2, svd_solver="full").fit_transform(values.astype(np.float64))
        np.testing.assert_allclose(np.abs(points), np.abs(expected), rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(run_dir):
    pytest.importorskip("umap")
    settings = EmbedSettings(methods=("pca", "tsne", "umap"), limit=40, seed=3)
    first, second = (
        {path.name: path.read_bytes() for path in embed_split(run_dir, None, settings).written}
        for _ in range(2)
    )
    assert set(first) == {
        "test.parquet", "test.html",
        *(f"test-{method}.{kind}" for method in METHODS for kind in ("png", "svg")),
    }  # fmt: skip
    assert first == second
    assert b"<image" in first["test-umap.svg"]
    assert first["test-umap.svg"].count(b"<use") < 40


def test_the_split_is_chosen_as_for_evaluate(run_dir):
    assert embed_split(run_dir).embedded.split == "test"
    report = embed_split(run_dir, settings=EmbedSettings(split="train"))
    assert "learned from these samples" in report.notes[0]
    assert report.separations["network"].metrics.num_samples == 54  # not the six copies
    with pytest.raises(UnknownNameError, match='unknown split "tset"'):
        embed_split(run_dir, settings=EmbedSettings(split="tset"))


def test_other_shards_are_refused(run_dir, tmp_path):
    make_shards(tmp_path / "other", {"test": numbered_samples(6, num_classes=3)}, NAMES)
    with pytest.raises(OtherSettingsError, match="image_shape 8, 8, 1"):
        embed_split(run_dir, tmp_path / "other")


def test_a_baseline_gives_what_its_classifier_sees(run_dir):
    shards_dir = run_dir.parent / "shards"
    baseline_dir = run_dir.parent / "baseline"
    settings = TrainSettings(model="logreg", components=5)
    train(shards_dir, baseline_dir, settings)
    report = embed_split(baseline_dir)
    assert report.source == "what the classifier of logreg sees"
    assert report.embedded.embeddings.shape == (45, 5)
    np.testing.assert_allclose(
        report.embedded.probabilities,
        Predictor.load(baseline_dir).predict(report.embedded.samples.images),
        rtol=1e-5,
    )


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_embeddings(backend, run_dir):
    skip_without(backend)
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from fer_models.embedder import Embedder\n"
        f"images = np.random.default_rng(0).integers(0, 256, (5, *{SHAPE}), dtype=np.uint8)\n"
        "print([part.tolist() for part in Embedder.load(Path(sys.argv[1])).embed(images)])\n"
    )
    there, here = (run_python("-c", code, run_dir, backend=b) for b in (backend, "tensorflow"))
    for found, expected in zip(there, here, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_missing_library_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    check_methods(["pca", "tsne"])
    with pytest.raises(MissingLibraryError, match=re.escape("pip install 'ferkit[embed]'")):
        EmbedSettings(methods=("umap",))
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingLibraryError, match="pip install scikit-learn"):
        EmbedSettings()


def test_umap_loads_no_networks():
    pytest.importorskip("umap")
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from fer_models.projection import _load_umap\n"
        "_load_umap()\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)\n"
        "assert 'umap.parametric_umap' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (("tnse",), 'unknown method "tnse".*Did you mean "tsne"'),
        (("pca", "pca"), "methods are pca, pca; expected each once"),
        ((), "methods are none"),
    ],
)
def test_wrong_methods_are_named(methods, message):
    with pytest.raises(SettingsError, match=message):
        EmbedSettings(methods=methods)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(4, 3), (5, 1), (7, 60), (60, 2)])
def test_few_samples_and_values_are_projected(method, shape):
    if method == "umap":
        pytest.importorskip("umap")
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    before = values.copy()
    points = project(method, values, seed=0)
    assert (points.shape, points.dtype) == ((shape[0], 2), np.float32)
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(values, before)
    same = project(method, np.repeat(values[:1], 5, axis=0), seed=0)
    np.testing.assert_array_equal(same, np.zeros((5, 2)))


def test_too_few_samples_work_or_end_in_one_clear_line():
    values = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    for number in (1, 2, 3):
        assert project("pca", values[:number], seed=0).shape == (number, 2)
        for method in ("tsne", "umap"):
            with pytest.raises(SettingsError, match=rf"{method} needs 4 .*received {number}"):
                project(method, values[:number], seed=0)


@pytest.mark.parametrize("limit", [1, 2, 9])
def test_any_number_of_samples_makes_a_page(run_dir, limit):
    report = embed_split(run_dir, settings=EmbedSettings(limit=limit))
    assert len(report.embedded.samples) == limit
    assert f"{limit} of 45 samples" in report.notes[0]
    assert set(report.separations) == ({"network"} if limit > 1 else set())
    assert json.dumps(report.to_json())


def test_one_class_makes_a_page(tmp_path):
    samples = dataclasses.replace(numbered_samples(5, SHAPE), labels=np.zeros(5, np.int64))
    found = measure_separation(np.eye(5, dtype=np.float32), samples.labels, ["only"], seed=0)
    assert found.num_neighbours == 4
    assert found.metrics.balanced_accuracy == found.metrics.chance_balanced_accuracy == 1


def test_neighbours_name_what_scikit_learn_names():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=80)
    values = (rng.normal(size=(80, 6)) + labels[:, None]).astype(np.float32)
    found = measure_separation(values, labels, list("abcd"), seed=0)
    right = 0
    for row in range(80):
        others = np.arange(80) != row
        classifier = KNeighborsClassifier(10).fit(values[others], labels[others])
        right += classifier.predict(values[[row]])[0] == labels[row]
    assert found.metrics.accuracy == pytest.approx(right / 80)


def test_a_sample_is_no_neighbour_of_its_own_among_twins():
    rows, distances = find_neighbours(np.zeros((30, 3), np.float32), 5)
    assert rows.shape == distances.shape == (30, 5)
    assert not (rows == np.arange(30)[:, None]).any()
    assert all(len(set(row)) == 5 for row in rows.tolist())


def page_data(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_needs_nothing_from_outside_and_holds_all(run_dir):
    report = embed_split(run_dir, settings=EmbedSettings(pixels=True))
    page = report.page_path.read_text(encoding="utf-8")
    assert not re.findall(r"https?:|//[a-z]|@import|url\(", page.split("</style>")[0])
    assert not re.findall(r"""https?://|\b(?:src|href)=|import\(|fetch\(""", page)
    data = page_data(page)
    samples = report.embedded.samples
    assert data["keys"] == samples.keys.tolist()
    assert data["classes"] == list(NAMES)
    assert page.count("</script>") == 2
    assert "<b>" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)

    def words(text):
        return np.frombuffer(base64.b64decode(text), "<u2")

    np.testing.assert_array_equal(words(data["true"]), samples.labels)
    np.testing.assert_array_equal(words(data["predicted"]), report.embedded.predicted)
    assert set(data["projections"]) == {"pca network", "pca pixels"}
    for projection in report.embedded.projections:
        found = words(data["projections"][f"pca {projection.space}"]).reshape(-1, 2).astype(float)
        span = np.ptp(projection.points, axis=0).max()
        expected = projection.points - projection.points.min(axis=0)
        step = span / 65535
        np.testing.assert_allclose((found - found.min(axis=0)) * step, expected, atol=1.1 * step)


def cut_out(sprites, number):
    """One picture from the sheets, as the page cuts it out."""
    sheet, rest = divmod(number, sprites.per_sheet)
    data = base64.b64decode(sprites.sheets[sheet].partition(",")[2])
    left = rest % sprites.columns * sprites.step_x
    top = rest // sprites.columns * sprites.step_y
    box = (left, top, left + sprites.width, top + sprites.height)
    return np.asarray(Image.open(io.BytesIO(data)).crop(box), np.float64)


@pytest.mark.parametrize("shape", [(48, 48, 1), (20, 12, 3), (130, 100, 1)])
def test_pictures_are_found_on_their_sheets(shape):
    levels = np.random.default_rng(0).integers(40, 216, 1100)
    images = np.broadcast_to(levels.astype(np.uint8)[:, None, None, None], (1100, *shape))
    sprites = make_sprites(np.ascontiguousarray(images), 10**8)
    assert len(sprites.sheets) == 2
    assert max(sprites.width, sprites.height) == min(96, max(shape))
    for number in (0, 31, 32, 1023, 1024, 1099):
        assert abs(cut_out(sprites, number) - levels[number]).max() <= 3


def test_pictures_become_smaller_until_they_fit():
    images = np.random.default_rng(0).integers(0, 256, (50, 48, 48, 1), dtype=np.uint8)
    sizes = []
    for most in (10**6, 60_000, 20_000):
        sprites = make_sprites(images, most)
        assert sum(map(len, sprites.sheets)) <= most
        sizes.append(sprites.width)
    assert sizes[0] == 48 > sizes[1] > sizes[2] >= 16
    assert make_sprites(images, 1000) is None


DRIVER = """
<script>
const field = document.getElementById("field"), tip = document.getElementById("tip");
const box = field.getBoundingClientRect(), told = {};
const over = (x, y, name) => field.dispatchEvent(
  new PointerEvent(name, { clientX: box.left + x, clientY: box.top + y, pointerId: 1 }));
told.before = tip.hidden;
search: for (let y = 0; y < box.height; y += 9) for (let x = 0; x < box.width; x += 9) {
  over(x, y, "pointermove");
  if (!tip.hidden) break search;
}
told.key = tip.dataset.key;
told.text = tip.textContent;
document.querySelector('[value="right"]').click();
told.colors = [...document.querySelectorAll("#classes .name")].map((name) => name.textContent);
document.querySelector('[value="true"]').click();
document.querySelectorAll("#classes button")[1].click();
told.pressed = [...document.querySelectorAll("#classes button")].map((b) => b.ariaPressed);
field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
told.said = document.getElementById("said").textContent;
const textContent = JSON.stringify(told);
document.body.append(Object.assign(document.createElement("pre"), { id: "told", textContent }));
</script>
"""


def browse(page_path, address=""):
    """What stands in a page after a browser has run it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium to look at the page with")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900",
        "--virtual-time-budget=3000", "--dump-dom", f"{page_path.as_uri()}{address}",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_hover_legend_and_keys_work_in_a_browser(run_dir, tmp_path):
    report = embed_split(run_dir)
    page = report.page_path.read_text(encoding="utf-8")
    driven = tmp_path / "driven.html"
    driven.write_text(page.replace("</body>", DRIVER + "</body>"), encoding="utf-8")
    told = re.search(r'<pre id="told">(.*?)</pre>', browse(driven), re.DOTALL)[1]
    for code, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        told = told.replace(code, letter)
    told = json.loads(told)
    keys = report.embedded.samples.keys.tolist()
    assert told["before"] is True
    row = keys.index(told["key"])
    assert told["key"] in told["text"]
    assert f"true {NAMES[report.embedded.samples.labels[row]]}" in told["text"]
    assert f"predicted {NAMES[report.embedded.predicted[row]]}" in told["text"]
    assert told["colors"] == ["right", "wrong"]
    assert told["pressed"] == ["true", "false", "true"]
    shown = keys.index(told["said"].partition(":")[0])
    assert report.embedded.samples.labels[shown] != 1


def test_an_address_shows_a_sample(run_dir):
    report = embed_split(run_dir)
    key = next(key for key in report.embedded.samples.keys.tolist() if "é" in key)
    shown = browse(report.page_path, f"#color=predicted&show={urllib.parse.quote(key)}")
    assert f'data-key="{key}"' in shown
    assert "Ärger &amp; Wut" in shown


def test_a_run_without_a_finished_network_is_refused(run_dir, tmp_path):
    assert read_bundle(find_bundle(run_dir)).kind == "keras"
    (tmp_path / "settings.toml").write_bytes((run_dir / "settings.toml").read_bytes())
    with pytest.raises(FileNotFoundError, match="fermodel train --resume"):
        embed_split(tmp_path)
