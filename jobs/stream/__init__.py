"""The event stream: each change of a job's status, in order, to a broker of the deployment's."""
