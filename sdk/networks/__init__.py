"""From a list of layers to firmware: mappings, weights, accelerator programs, a C main, and what must come out.

| module | what |
|---|---|
| `network` | layers and tensors as data, read from ``network.toml`` |
| `mapping` | stripes, chain, parallel; kernel rounds; the published rule; the search for the best mapping |
| `plan` | which cluster does what |
| `parameters` | seeded kernels and calibrated activation tables |
| `reference` | the network in plain 64-bit integers |
| `program` | accelerator programs as text |
| `firmware` | the project: programs, weights, C main |
| `measured` | the counters that programs keep |
| `measure` | build, run, gather the counters, compare the outputs |
"""
