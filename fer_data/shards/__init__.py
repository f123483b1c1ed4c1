"""The contract between the data and whoever trains on it: `docs/shard-format.md`."""
