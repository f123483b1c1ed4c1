"""A page and an HTTP API on this machine: pictures in, faces and probabilities out.

`app` puts the routes together, `guard` decides which requests are heard, `answers` says what they
are told. Pictures are never kept: not on disk, not in memory once they are answered.
"""
