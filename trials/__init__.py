"""What tries SERA and no hospital needs to serve: chaos, load, fuzzing, benchmarks."""
