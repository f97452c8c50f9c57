"""The state table, on the target's side: plans, leases, checkpoints, limits, claims and reports."""
