"""A damaged shard is an error that names it, or every batch is as it was; none is ever wrong.

FERKIT_DAMAGES=20 does 20 times as much damage.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import shutil
import zlib

import numpy as np
import pytest
import tensorflow as tf
from isal import isal_zlib

from fer_data.errors import DamagedShardError
from fer_data.pack_shard import CONTAINERS
from fer_data.shards.arrays import deflate_streams, read_arrays
from fer_data.shards.deflate import COMPRESSIONS
from fer_models.stream import ShardStream, StreamSettings
from tests.damages import TIMES, draw_damage
from tests.fer_models.decoding import shard_decoder

WAYS = {"in memory": 2**30, "from disk": 0}
FORMS = list(itertools.product(CONTAINERS, COMPRESSIONS))
EPOCH = 3


@pytest.fixture(scope="module")
def folders(tmp_path_factory, shard_writer):
    """Folder and index of shards in each format and compression; 38 is no multiple of a chunk."""
    root = tmp_path_factory.mktemp("damage")
    made = []
    for container, compression in FORMS:
        folder = root / f"{container}-{compression}"
        sizes = {"train": [38, 38, 37]}
        form = {"container": container, "compression": compression}
        made.append((folder, shard_writer(folder, sizes, image_shape=(6, 6, 1), **form)))
    return made


def test_an_index_cannot_name_a_file_elsewhere(folders):
    folder, index = folders[0]
    first, *others = index.shards
    moved = dataclasses.replace(first, file=f"../{folder.name}/{first.file}")
    assert (folder / moved.file).exists()
    with pytest.raises(DamagedShardError, match="the index gives it this path"):
        ShardStream(folder, dataclasses.replace(index, shards=(moved, *others)), "train")


def batches_of(stream):
    """The batches of one epoch as bytes, as they come."""
    for images, labels in stream.shuffled(EPOCH).as_numpy_iterator():
        yield images.tobytes(), labels.tobytes()


@pytest.mark.parametrize(
    ("way", "opened"), [("in memory", "after"), ("from disk", "after"), ("from disk", "before")]
)
def test_damage_is_named_or_no_batch_is_wrong(folders, way, opened):
    """Damage before the stream is opened, or behind its back."""
    options = StreamSettings(batch_size=16, cache_bytes=WAYS[way], block_shards=2)
    whole = [
        list(batches_of(ShardStream(folder, index, "train", options))) for folder, index in folders
    ]
    rng = np.random.default_rng([*way.encode(), *opened.encode()])
    num_told = 0
    for number in range(12 * TIMES):
        folder, index = folders[number % len(folders)]
        damage = draw_damage(rng, folder / index.shards[rng.integers(3)].file)
        with contextlib.ExitStack() as stack:
            if opened == "after":
                stack.enter_context(damage.done())
            drawn, told = [], None
            try:
                stream = ShardStream(folder, index, "train", options)
                if opened == "before":
                    stack.enter_context(damage.done())
                with stream.explain_damage():
                    drawn += batches_of(stream)  # keeps those that came before an error
            except DamagedShardError as error:
                told = str(error)
        expected = whole[number % len(folders)]
        if told is None:
            assert drawn == expected, damage.what
        else:
            num_told += 1
            assert damage.path.name in told, damage.what
            assert drawn == expected[: len(drawn)], damage.what
    assert num_told > 2 * TIMES


def test_decoding_a_damaged_shard_fails_or_gives_what_it_held(folders):
    """As the stream does it, for many more damages; what NumPy's reader tells, it tells too."""
    rng = np.random.default_rng(9)
    num_told = 0
    for folder, index in folders:
        shard = index.shards[1]
        decode = shard_decoder(folder, shard, (6, 6, 1))
        whole = [array.numpy().tobytes() for array in decode()]
        for _ in range(40 * TIMES):
            damage = draw_damage(rng, folder / shard.file)
            with damage.done():
                found = None
                with contextlib.suppress(tf.errors.DataLossError, tf.errors.InvalidArgumentError):
                    found = [array.numpy().tobytes() for array in decode()]
                is_told = False
                try:
                    read_arrays(folder / shard.file, shard, ("images", "labels"))
                except DamagedShardError:
                    is_told = True
            # TensorFlow refuses a few more than NumPy's reader, which is in order
            assert found is None or (found == whole and not is_told), damage.what
            num_told += is_told
    assert num_told > 60 * TIMES


def inflated(library, deflated):
    """What a raw deflate stream holds by a library; None where it refuses it."""
    decoder = library.decompressobj(-15)
    try:
        raw = decoder.decompress(bytes(deflated))
    except library.error:
        return None
    return raw if decoder.eof else None


def test_a_wrong_byte_that_only_tensorflow_refuses_is_named(folders, tmp_path):
    """The streams hold what they should by ISA-L and CRC; zlib's inflate refuses their codes."""
    folder, index = folders[FORMS.index(("hdf5", "fast"))]
    shutil.copytree(folder, tmp_path / "shards")
    shard = index.shards[1]
    path = tmp_path / "shards" / shard.file
    part = deflate_streams(shard.arrays["images"])[0]
    whole = path.read_bytes()
    deflated = bytearray(whole[part.offset :][: part.size])
    held = zlib.decompress(deflated, -15)
    for place, value in itertools.product(range(100), range(256)):  # its table of codes
        old, deflated[place] = deflated[place], value
        if inflated(isal_zlib, deflated) == held != inflated(zlib, deflated):
            break
        deflated[place] = old
    else:
        pytest.fail("no byte of this shard is one")
    path.write_bytes(whole[: part.offset] + deflated + whole[part.offset + part.size :])
    assert read_arrays(path, shard, ("images",))["images"].tobytes().startswith(held)
    stream = ShardStream(tmp_path / "shards", index, "train", StreamSettings(cache_bytes=0))
    with (
        pytest.raises(DamagedShardError, match=rf"{shard.file}: its sha256 is not that"),
        stream.explain_damage(),
    ):
        list(batches_of(stream))


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_wrong_bit_at_the_end_of_a_stream_is_passed(tmp_path, shard_writer, container):
    """There it can let the stream run past its end, where decoders check nothing."""
    index = shard_writer(tmp_path, {"train": [40]}, image_shape=(4, 4, 1), container=container)
    shard = index.shards[0]
    path = tmp_path / shard.file
    data = path.read_bytes()
    decode = shard_decoder(tmp_path, shard, (4, 4, 1))
    whole = [array.numpy().tobytes() for array in decode()]
    entry = shard.arrays["labels"]
    end = entry.offset + entry.compressed_bytes
    num_told = 0
    end -= 4 * (container == "hdf5")  # the Adler-32, which nobody needs
    for position, bit in itertools.product(range(end - 16, end), range(8)):
        wrong = bytearray(data)
        wrong[position] ^= 1 << bit
        path.write_bytes(wrong)
        try:
            assert [array.numpy().tobytes() for array in decode()] == whole, (position, bit)
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError):
            num_told += 1
    assert num_told > 100
