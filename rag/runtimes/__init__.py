"""What runs a local model: OpenVINO where it can read it, torch for all others and for GPUs."""
