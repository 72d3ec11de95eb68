"""Where the cluster runs: in containers (compose.yaml), or as processes of this machine (local)."""
