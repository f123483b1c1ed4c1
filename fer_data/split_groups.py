"""Which samples must stand in one split, because of what they show or whom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_data.dataset import Dataset
from fer_data.errors import SettingsError

#: What joins samples where nothing else is asked for.
DEFAULT_GROUP_BY = ("duplicates", "subject")
#: The name that stands for families of identical, near and mirrored pictures.
DUPLICATES = "duplicates"
#: The columns of samples that `join_samples` reads.
GROUP_COLUMNS = ("key", "source", "pixel_sha256", "attributes")
_ALONE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGroups:
    """The g groups of n samples that must stay together.

    Attributes:
        of_sample: int64 array of shape (n,): the number of each sample's group.
        identity: uint64 array of shape (g,): who a group is, the same whatever else is in the
            data set and in whatever order.
        num_samples: int64 array of shape (g,).
        codes: what joins samples → int64 array of shape (n,): samples with the same number belong
            together, those with -1 are joined to none. The first is "identical".
    """

    of_sample: NDArray[np.int64]
    identity: NDArray[np.uint64]
    num_samples: NDArray[np.int64]
    codes: Mapping[str, NDArray[np.int64]]

    def order(self, seed: int) -> NDArray[np.uint64]:
        """A random number for each group that depends on the seed and its identity alone.

        The mixer is that of SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2660193.2660195).
        """
        key = np.frombuffer(hashlib.sha256(f"split/{seed}".encode()).digest()[:8], np.uint64)
        mixed = self.identity ^ key
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return mixed ^ (mixed >> np.uint64(31))


def join_samples(dataset: Dataset, samples: pa.Table, group_by: Sequence[str]) -> SampleGroups:
    """The groups of samples, joined transitively: by identical pixels, and as asked for.

    Args:
        dataset: where the samples are from; with a table of duplicates if those are asked for.
        samples: some of its samples, with the columns `GROUP_COLUMNS`.
        group_by: "duplicates" for families of identical, near and mirrored pictures, or names of
            attributes: samples of one source with the same value belong together.

    Raises:
        SettingsError: no sample has such an attribute. The one of the default may be absent.
        MissingStageError: duplicates are asked for and have not been looked for.
    """
    codes = {"identical": _encode(samples["pixel_sha256"])}
    digests = samples["pixel_sha256"].combine_chunks()
    content = np.frombuffer(digests.buffers()[1], np.dtype(">u8"))[4 * digests.offset :: 4]
    of_attribute: list[tuple[str, NDArray[np.uint64]]] = []
    for name in group_by:
        if name == DUPLICATES:
            codes[name] = _families(dataset, samples["key"])
            continue
        values = pc.map_lookup(samples["attributes"], pa.scalar(name), "first")
        values = pc.if_else(pc.equal(values, ""), None, values)
        if values.null_count < len(values):
            texts = pc.binary_join_element_wise(samples["source"], values, f"/{name}=")
            encoded = texts.combine_chunks().dictionary_encode()
            codes[name] = _encode(texts)
            hashes = [_hash(text) for text in encoded.dictionary.to_pylist()]
            of_attribute.append((name, np.array(hashes, np.uint64)))
        elif tuple(group_by) != DEFAULT_GROUP_BY:
            raise SettingsError(_unknown_attribute(name, samples["attributes"]))
    of_sample = _components(list(codes.values()))
    num_samples = np.bincount(of_sample).astype(np.int64)
    identity = np.full(len(num_samples), np.iinfo(np.uint64).max, np.uint64)
    for name, hashed in of_attribute:
        rows = np.flatnonzero(codes[name] != _ALONE)
        np.minimum.at(identity, of_sample[rows], hashed[codes[name][rows]])
    nameless = identity[of_sample] == np.iinfo(np.uint64).max
    least = identity.copy()
    np.minimum.at(least, of_sample[nameless], content[: len(samples)][nameless].astype(np.uint64))
    return SampleGroups(of_sample=of_sample, identity=least, num_samples=num_samples, codes=codes)


def renumber(numbers: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers that occur, and for each its place among them, as `np.unique` does: faster.

    Example:
        >>> found, places = renumber(np.array([7, 2, 7]))
        >>> found.tolist(), places.tolist()
        ([2, 7], [1, 0, 1])
    """
    occurs = np.bincount(numbers) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[numbers]


def describe_group(groups: SampleGroups, samples: pa.Table, number: int) -> str:
    """What people would call a group: what its samples share, or one of them."""
    rows = np.flatnonzero(groups.of_sample == number)
    for name, codes in groups.codes.items():
        if name not in ("identical", DUPLICATES):
            for row in rows[codes[rows] != _ALONE][:1].tolist():
                first = samples.slice(row, 1).to_pylist()[0]
                return f"{name} {dict(first['attributes'])[name]} of {first['source']}"
    return f"the pictures like {samples['key'][int(rows[0])]}"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _encode(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Equal values by the same number from 0, in the order of their first; -1 for nulls."""
    indices = values.combine_chunks().dictionary_encode().indices
    return np.asarray(pc.fill_null(indices, _ALONE).to_numpy(), np.int64)


def _families(dataset: Dataset, keys: pa.ChunkedArray) -> NDArray[np.int64]:
    table = dataset.table(DUPLICATES, ["key", "group"])
    rows = pc.index_in(keys, value_set=table["key"].combine_chunks())
    groups = pc.fill_null(table["group"].take(rows), _ALONE)
    return np.asarray(groups.to_numpy(), np.int64)


def _components(codes: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Numbers of the connected components of samples that share a code."""
    first, *others = codes  # every sample has one of the first
    ends, starts = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    num_nodes = int(first.max(initial=-1)) + 1
    for other in others:
        rows = np.flatnonzero(other != _ALONE)
        starts.append(first[rows])
        ends.append(other[rows] + num_nodes)
        num_nodes += int(other.max(initial=-1)) + 1
    if not starts:
        return first
    one, two = np.concatenate(starts), np.concatenate(ends)
    edges = coo_array((np.ones(len(one), np.int8), (one, two)), shape=(num_nodes, num_nodes))
    labels = connected_components(edges.tocsr(), directed=False)[1][first]
    return renumber(labels)[1]


def _unknown_attribute(name: str, attributes: pa.ChunkedArray) -> str:
    known = sorted(set(_attribute_names(attributes)))
    there = f"they have {', '.join(known)}" if known else "they have none"
    return (
        f'no sample has an attribute "{name}" to group by; {there}. '
        "Expected duplicates, or names of attributes"
    )


def _attribute_names(attributes: pa.ChunkedArray) -> Iterator[str]:
    for chunk in attributes.chunks:
        entries = pc.list_flatten(chunk.cast(pa.list_(pa.struct(_ENTRY))))
        yield from pc.unique(entries.field(0)).to_pylist()


_ENTRY = [pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())]
