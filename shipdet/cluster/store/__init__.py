"""The tables of jobs and blocks, and the statements that read and change them."""
