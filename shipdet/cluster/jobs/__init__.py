"""What a job is: its message, its blocks, and the blocks that a message needs."""
