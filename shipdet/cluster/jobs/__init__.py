"""Job messages, the blocks of a job, and the plan that derives blocks from a message."""
