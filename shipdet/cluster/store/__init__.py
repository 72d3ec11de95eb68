"""The tables of jobs and blocks, and the queries that read and change them."""
