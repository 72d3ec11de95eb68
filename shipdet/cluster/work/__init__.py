"""The stream and its workers: read messages, search blocks, join the results."""
