"""The `fermodel` program: trains, judges and uses networks on shards."""
