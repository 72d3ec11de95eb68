"""Run the cluster in containers (compose.yaml) or as processes on this machine (local.py)."""
