"""A small network behind a real server, on a port of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import uvicorn

from fer_data.synth import SynthSettings, draw_face
from fer_models.bundle import write_bundle
from fer_models.serve.app import Example

SYNTH = SynthSettings(image_size=240, channels=3, seed=7, balanced=True)


def tiny_bundle(run_dir, index):
    """The bundle of a network with weights that tell pictures apart."""
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input(index.image_shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255.0),
            keras.layers.Conv2D(4, 5, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(len(index.class_names), activation="softmax"),
        ]
    )
    return write_bundle(run_dir, network, index, model="tiny", index_sha256="00", epoch=1)


def png(pixels) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


def face_pixels(index=3):
    return draw_face(SYNTH, index).image


def examples() -> list[Example]:
    return [Example(name=f"face {n}", png=png(face_pixels(n))) for n in range(2)]


def video_bytes(path, num_frames=20, suffix="webm", codec="VP80") -> bytes:
    """Ten frames a second of a generated face that drifts to the right."""
    path = path.with_suffix(f".{suffix}")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (400, 300))
    face = face_pixels()[..., ::-1]
    for number in range(num_frames):
        frame = np.full((300, 400, 3), (180, 165, 150), np.uint8)
        frame[30:270, 20 + 2 * number : 260 + 2 * number] = face
        writer.write(frame)
    writer.release()
    data = path.read_bytes()
    path.unlink()
    return data


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """The address of a server that runs as long as the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
