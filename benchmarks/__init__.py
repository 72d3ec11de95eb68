"""What the table of docs/performance.md is made with."""
