"""The tasks of CLAP's paper, one a module. `audiosearch.evaluation.task` says what a task is."""
