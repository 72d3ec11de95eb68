"""Jobs on a cluster: many areas, with Kafka, Spark, PostgreSQL and an S3 store.

Imports go from the top down: ``submit``, then ``work``, ``store``, ``engines`` and ``jobs``.
``import shipdet`` does not load this package, and this file imports no client of an engine.
"""
