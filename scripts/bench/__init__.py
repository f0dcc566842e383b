"""Benchmarks: each module prints one table of docs/performance.md."""
