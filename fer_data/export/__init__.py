"""Shards in the forms that other tools read: one module a format, none of them needs its tool."""
