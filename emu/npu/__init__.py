"""The NPU: tiles, clusters, sequencer, arithmetic, timing, energy."""
