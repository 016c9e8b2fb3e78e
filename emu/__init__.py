"""The emulated machines: frame, host CPUs, devices, NPU, memory maps."""
