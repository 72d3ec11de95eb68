"""Jobs on a cluster: many areas through Kafka, Spark, PostgreSQL and an S3 store.

Imports go from the top down: ``submit``, then ``work``, ``store``, ``engines``
and ``jobs``. ``import shipdet`` loads none of it, and this file imports no client of an engine.
"""
