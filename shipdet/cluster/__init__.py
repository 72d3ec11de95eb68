"""Many areas on many machines: jobs through Kafka, Spark, PostgreSQL and an S3 store.

Nothing of it is imported by ``import shipdet``, and this package imports no engine's client.
"""
