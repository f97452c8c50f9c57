"""The runs of each kind of job as their verbs: what the DAGs and the command line call."""
