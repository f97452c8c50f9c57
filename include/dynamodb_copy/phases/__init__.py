"""The phases of a run: prepare, plan, copy, mirror, verify, seal; each may be killed at any point and run again."""
