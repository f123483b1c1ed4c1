"""The page in a browser: files are taken, answers shown, and nobody else is asked."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from fer_data.face_align import FaceSettings
from fer_models.picture_faces import SampleCutter
from fer_models.predict import Predictor
from fer_models.serve.app import ServeSettings, create_app
from tests.fer_models.served import (
    examples,
    face_pixels,
    png,
    running,
    tiny_bundle,
    video_bytes,
)

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to look at the page with"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def address(tmp_path_factory, shard_writer):
    index = shard_writer(tmp_path_factory.mktemp("shards"), {"train": [4]}, image_shape=(48, 48, 1))
    predictor = Predictor.load(tiny_bundle(tmp_path_factory.mktemp("run"), index))
    cutter = SampleCutter(image=predictor.image_settings, faces=FaceSettings(), keeps_tiny=True)
    with running(create_app(predictor, cutter, ServeSettings(), examples())) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        webcam = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *webcam]
        )
        yield browser
        browser.close()


@pytest.fixture(params=[("light", 1200), ("dark", 390)], ids=["wide", "phone"])
def page(request, browser, address):
    scheme, width = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=["camera"]
    )
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.locator(".tries img").first.wait_for()
    yield page
    context.close()


def give(page, *files):
    """Uploads files, waits until all were looked at, and gives their parts of the page."""
    before = page.locator("article").count()
    page.set_input_files(
        "#files", [{"name": n, "mimeType": kind, "buffer": data} for n, kind, data in files]
    )
    page.locator("article").nth(before + len(files) - 1).wait_for(timeout=60_000)
    page.locator("#status", has_text="Looked at").wait_for()
    return page.locator("article")


def test_pictures_a_video_and_words(page, address, tmp_path):
    give(page, ("face.png", "image/png", png(face_pixels())), ("a.txt", "text/plain", b"words"))
    articles = give(page, ("film.webm", "video/webm", video_bytes(tmp_path / "a", 30)))
    film, words, face = (articles.nth(number) for number in range(3))
    assert "This is no picture" in words.inner_text()
    assert "face.png" in face.inner_text()
    assert face.locator(".bars dd").count() == 3
    assert face.locator("rect:not(.back)").count() == 1
    assert film.locator("polyline").count() >= 3
    assert film.locator("video").evaluate("(video) => video.readyState") >= 1
    film.locator(".line svg").click(position={"x": 200, "y": 60})
    film.locator("rect:not(.back)").wait_for(state="attached")

    width, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= shown
    others = [url for url in page.asked if not url.startswith((address, f"blob:{address}"))]
    assert not others
    assert not page.complaints
    assert page.screenshot(path=tmp_path / "page.png", full_page=True)


def test_answers_can_be_saved(page, tmp_path):
    give(page, ('a, "b".png', "image/png", png(face_pixels())), ("none.txt", "text/plain", b"x"))
    for button, name in (("#json", "answers.json"), ("#csv", "answers.csv")):
        with page.expect_download() as download:
            page.click(button)
        download.value.save_as(tmp_path / name)
    told = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert [answer["name"] for answer in told] == ['a, "b".png', "none.txt"]
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ['a, "b".png', "none.txt"]
    assert float(rows[0]["probability"]) == told[0]["faces"][0]["probability"]
    assert rows[1]["reason"] == "not-an-image"
    page.click("#clear")
    assert page.locator("article").count() == 0


def test_it_is_used_by_keyboard_alone(page):
    for _ in range(3):  # file input, webcam, first example
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.title") == examples()[0].name
    page.keyboard.press("Enter")
    page.locator("article").wait_for()
    assert examples()[0].name in page.locator("article h2").inner_text()


def test_the_webcam_is_looked_at_until_it_is_stopped(page):
    page.click("#webcam")
    page.locator("#live").wait_for()
    page.locator("#status", has_text="No face was found").wait_for(timeout=60_000)
    page.click("#stop")
    assert not page.locator("#live").is_visible()
    page.wait_for_timeout(500)
    asked = len(page.asked)
    page.wait_for_timeout(1000)
    assert len(page.asked) == asked
    assert "off" in page.locator("#status").inner_text()


def test_a_server_that_is_gone_is_told(page):
    page.route("**/predict", lambda route: route.abort())
    page.set_input_files("#files", [{"name": "a.png", "mimeType": "image/png", "buffer": b"x"}])
    page.locator("#status.bad", has_text="does not answer").wait_for()
