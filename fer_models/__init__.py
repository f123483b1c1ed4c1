"""Trains, judges and uses networks on shards; sees data only as `fer_data.shards`."""
