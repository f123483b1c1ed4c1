"""Baselines: scikit-learn's classifiers on the same shards, runs and bundles as the networks.

Pixels are standardised and, where asked for, turned into principal components; a classifier of
scikit-learn is fitted on them. What was learned is kept as plain arrays, and used with NumPy alone.
"""
