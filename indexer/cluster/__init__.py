"""An index run on many machines through Ray. `indexer.cluster.coordinator` says how its parts fit."""
