"""Models as files that run without this package: StableHLO and ONNX, with a proof for each."""
