"""The slides of a run, in French: its own figures and pictures on what does not change from run to run."""
