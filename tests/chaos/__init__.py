"""The proof of the promise: a whole deployment under load while its parts are killed, stopped, ended and cut off.

`make chaos SECONDS=600 SEED=1`, or python -m tests.chaos. The driver sees what an outsider sees: REST, signals, and SQL
that reads. site.py is the deployment, load.py the clients, faults.py what goes wrong, invariants.py what must hold.
"""
