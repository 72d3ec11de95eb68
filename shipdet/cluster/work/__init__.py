"""What the stream and its workers do: read messages, search blocks, join their results."""
