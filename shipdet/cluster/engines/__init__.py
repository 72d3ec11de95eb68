"""Connections to the engines: PostgreSQL, Kafka and the object store."""
