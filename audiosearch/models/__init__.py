"""Models: bundles of an audio tower and a text tower that share one vector space, run by ONNX Runtime."""
