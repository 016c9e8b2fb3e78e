"""From a list of layers to firmware: mappings, weights, accelerator programs, a C main, and what must come out.

| module | what |
|---|---|
| `layers` | kinds of layers and their shapes, as data |
| `workload` | a layer with the shapes that it meets, and the rules for them |
| `network` | layers in their order, the tensors between them |
| `network_file` | a network from ``network.toml`` |
| `lookup` | look-up tables of functions that have a name |
| `mapping` | how a layer lies on the tiles |
| `kernel_sizes` | what passes the kernel port, compressed or not |
| `tasks` | which cluster does what in a layer |
| `cost` | what a layer takes by the published rule |
| `broadcast` | where clusters should share a stream of features |
| `search` | the best mapping of a layer |
| `plan` | a whole network on some clusters |
| `parameters` | seeded kernels and calibrated activation tables |
| `reference` | the network in plain 64-bit integers |
| `names` | C arrays |
| `layer_program`, `program` | accelerator programs as text |
| `memory` | whether all that fits the machine |
| `firmware` | the project: programs, weights, C main |
| `measured` | the counters that programs keep |
| `measure` | build, run, gather the counters, compare the outputs |
"""
